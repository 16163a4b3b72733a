/** Layers of stock TF.js ops, NHWC, that the graphs of Stable Diffusion's models are built of. */
export { Heads } from './attention.ts';
export { doubled, downsample, type ResnetContext, resnet, upsample } from './conv-blocks.ts';
export {
  GraphBuilder,
  type PlannedGraph,
  type PlannedWeight,
  signatureTensor,
  type WeightLayout,
  weightSpec,
} from './graph-builder.ts';
export { conv, gelu, linear, product, quickGelu, relu, scopeOf, silu } from './layers.ts';
export { affineOf, groupNorm, layerNorm, layerNormBy } from './norms.ts';
export { concat, shapeFrom, shapeOf, slice } from './shape-ops.ts';
