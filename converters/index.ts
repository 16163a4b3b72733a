export type { CompanionOptions } from './companions.ts';
export { buildControlNet, type ConvertControlNetOptions, convertControlNet } from './controlnet/index.ts';
export { type ConvertOptions, type ConvertSummary, convertCheckpoint } from './convert.ts';
export type { IpAdapterOption } from './ip-adapter/index.ts';
export { checkpointKind } from './kind.ts';
export { type LoraOption, parseLoraOption } from './lora/index.ts';
export type { DataSpace } from './metadata.ts';
export { buildUNet } from './unet/build.ts';
export { parseUNetConfig, type UNetConfig } from './unet/config.ts';
