/** VAEs: their names in checkpoints, their config, their decoder and encoder as graphs. */
export { buildVaeDecoder, buildVaeEncoder } from './build.ts';
export { type ConvertVaeOptions, convertVae } from './convert.ts';
export { VAE } from './tensors.ts';
