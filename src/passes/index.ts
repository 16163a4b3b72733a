export { controlNetInputs, downResidual, MID_RESIDUAL } from './control-net/control-net.ts';
export { CONTROL_INPUT } from './slothful/control-input.ts';
export { type RewriteOptions, slothful } from './slothful/pass.ts';
