export { type ConvertOptions, type ConvertSummary, convertCheckpoint } from './convert.ts';
export type { DataSpace } from './metadata.ts';
export { buildUNet } from './unet/build.ts';
export { parseUNetConfig, type UNetConfig } from './unet/config.ts';
