/** UNet2DConditionModel: its config, its tensors in a checkpoint, and its graph. */
export { buildUNet } from './build.ts';
export { parseUNetConfig, type UNetConfig } from './config.ts';
export { downPath, firstConv, middleBlock } from './down-path.ts';
export { type ImageProjection, RESAMPLER_HEAD_DIM } from './image-projection.ts';
export { crossAttentions, type ImageAdapter } from './image-tokens.ts';
export { inferUNetConfig } from './infer-config.ts';
export { buildContexts, signatureInputs } from './inputs.ts';
export { layoutOfDiffusers, layoutOfLdmHalf, ldmNames } from './ldm-names.ts';
export { halfModules, unetModules } from './modules.ts';
export { UNET, unetTensors } from './tensors.ts';
