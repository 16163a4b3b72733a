export { buildControlNet, type ConvertControlNetOptions, convertControlNet } from './convert.ts';
export { CONTROLNET } from './tensors.ts';
