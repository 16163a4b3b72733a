export { CONTROL_INPUT } from './control-input.ts';
export { controlNetInputs, downResidual, MID_RESIDUAL } from './control-net.ts';
export { type RewriteOptions, slothful } from './slothful.ts';
