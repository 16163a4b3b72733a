import { attr, type Endpoint } from '../../src/graph/index.ts';
import type { GraphBuilder } from './graph-builder.ts';
import { conv, linear, scopeOf, silu } from './layers.ts';
import { groupNorm } from './norms.ts';
import { shapeOf, slice } from './shape-ops.ts';

/** What all resnets of a model share. */
export interface ResnetContext {
  /** The time embedding after its SiLU. */
  timeEmbedding: Endpoint;
  timeEmbedDim: number;
  groups: number;
  eps: number;
}

/** [B, H, W, inputs] -> [B, H, W, outputs]. Source: diffusers, `ResnetBlock2D`. */
export function resnet(
  builder: GraphBuilder,
  module: string,
  x: Endpoint,
  size: { inputs: number; outputs: number },
  context: ResnetContext,
): Endpoint {
  const { inputs, outputs } = size;
  const scope = scopeOf(module);
  const { groups, eps } = context;
  const normal = groupNorm(builder, `${module}.norm1`, x, { channels: inputs, groups, eps });
  const hidden = conv(builder, `${module}.conv1`, silu(builder, `${scope}/norm1`, normal), size);
  const time = linear(builder, `${module}.time_emb_proj`, context.timeEmbedding, {
    inputs: context.timeEmbedDim,
    outputs,
  });
  const pixel = builder.op(`${scope}/time_emb_proj/pixel`, 'Reshape', [time, builder.ints([-1, 1, 1, outputs])]);
  const timed = builder.op(`${scope}/timed`, 'AddV2', [hidden, pixel]);
  const again = groupNorm(builder, `${module}.norm2`, timed, { channels: outputs, groups, eps });
  const second = conv(builder, `${module}.conv2`, silu(builder, `${scope}/norm2`, again), { inputs: outputs, outputs });
  const skip = inputs === outputs ? x : conv(builder, `${module}.conv_shortcut`, x, { ...size, kernel: 1 });
  return builder.op(`${scope}/out`, 'AddV2', [skip, second]);
}

/** [B, H, W, C] -> [B, H / 2, W / 2, C], odd sizes rounded up. Source: diffusers, `Downsample2D`. */
export function downsample(builder: GraphBuilder, module: string, x: Endpoint, channels: number): Endpoint {
  return conv(builder, `${module}.conv`, x, { inputs: channels, outputs: channels, stride: 2 });
}

/**
 * Nearest-neighbour to the height and width of another map, which is right for odd sizes too, then a convolution.
 *
 * Source: diffusers, `Upsample2D`.
 */
export function upsample(
  builder: GraphBuilder,
  module: string,
  x: Endpoint,
  channels: number,
  sizeOf: Endpoint,
): Endpoint {
  const scope = scopeOf(module);
  const shape = shapeOf(builder, `${scope}/shape`, sizeOf);
  const size = slice(builder, `${scope}/size`, shape, 1, 3);
  const larger = builder.op(`${scope}/nearest`, 'ResizeNearestNeighbor', [x, size], {
    align_corners: attr.bool(false),
    half_pixel_centers: attr.bool(false),
  });
  return conv(builder, `${module}.conv`, larger, { inputs: channels, outputs: channels });
}
