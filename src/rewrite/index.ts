export { CONTROL_INPUT } from './control-input.ts';
export { type RewriteOptions, slothful } from './slothful.ts';
