export { type AttentionNodesOptions, attentionNodes, CONTROL_INPUT } from '../attention/index.ts';
export {
  type AnyParameters,
  type AppliedPass,
  appliedPasses,
  type ControlState,
  type ControlStep,
  changeParameters,
  controlTable,
  feedsOfPasses,
  keptByPasses,
  type PassChanges,
  type PassHooks,
  steeringOf,
} from './applied.ts';
export * from './built-in.ts';
export type { BatchPart, KeptTensor, PassDefinition, PassPreset, PassStep, SiteFacts } from './definition.ts';
export { rowsAt } from './definition.ts';
export {
  type AskedPasses,
  PASS_PARAMETERS,
  type PassParameters,
  parsePassOption,
  passesInForce,
  passesOf,
  perturbs,
  valueOfText,
} from './in-force.ts';
export { makePass } from './make-pass.ts';
export { addPassInput, type EditResult, type PassFeeds, type PassInput, recordedResult } from './pass-input.ts';
export { expectPass, findPass, passDefinitions, registerPass } from './registry.ts';
