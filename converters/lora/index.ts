export { type FusedTensors, type FuseOptions, fuseLoras, type LoraRecord } from './fuse.ts';
export { type LoraOption, parseLoraOption } from './open.ts';
export { LORA_PARTS, type LoraPart } from './parts.ts';
