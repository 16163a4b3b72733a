/** TAESDs: small stand-ins for a VAE, their names in checkpoints and their graphs. */
export { buildTaesd, type TaesdConfig } from './build.ts';
export { type ConvertTaesdOptions, convertTaesd } from './convert.ts';
export { type TaesdHalf, taesdKind, taesdPath } from './tensors.ts';
