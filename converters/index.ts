export { type ConvertTextEncoderOptions, convertTextEncoder, type TextEncoderName } from './clip/index.ts';
export type { CompanionOptions } from './companions.ts';
export { buildControlNet, type ConvertControlNetOptions, convertControlNet } from './controlnet/index.ts';
export { type ConvertOptions, checkpointKind, convertCheckpoint } from './convert.ts';
export type { IpAdapterOption } from './ip-adapter/index.ts';
export { type LoraOption, parseLoraOption } from './lora/index.ts';
export type { ConvertSummary, DataSpace } from './model/index.ts';
export { buildUNet, parseUNetConfig, type UNetConfig } from './unet/index.ts';
export { type ConvertVaeOptions, convertVae } from './vae/index.ts';
