export { type FusedTensors, type FuseOptions, fuseLoras, type LoraRecord } from './fuse.ts';
export { type LoraOption, parseLoraOption } from './open.ts';
