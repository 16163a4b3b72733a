/** CLIP's text encoders: their names in checkpoints, their config, their graph. */
export { buildTextEncoder } from './build.ts';
export { type ConvertTextEncoderOptions, convertTextEncoder } from './convert.ts';
export { type TextEncoderName, textEncoderKind } from './tensors.ts';
