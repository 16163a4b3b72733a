export { buildControlNet } from './build.ts';
export { type ConvertControlNetOptions, convertControlNet } from './convert.ts';
export { CONTROLNET } from './names.ts';
