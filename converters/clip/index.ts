/** CLIP's text encoders: their names in checkpoints, their config, their graph. */
export { buildTextEncoder } from './build.ts';
export { convertClip, type FusedText, type FuseText, type TextEncoderOptions } from './convert.ts';
export { type TextEncoderName, type TextTensors, textEncoderKind } from './tensors.ts';
