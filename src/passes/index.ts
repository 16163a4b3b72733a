import './built-in.ts';

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
export { CONTROL_NET, controlNetInputs, downResidual, MID_RESIDUAL } from './control-net/control-net.ts';
export { DEEPCACHE, DEEPCACHE_PARAMETERS, type DeepCacheOptions, deepCache } from './deepcache/definition.ts';
export type { BatchPart, KeptTensor, PassDefinition, PassPreset, PassStep, SiteFacts } from './definition.ts';
export { rowsAt } from './definition.ts';
export { FREEU, FREEU_PARAMETERS, type FreeuOptions, freeu } from './freeu/definition.ts';
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
export { PAG, PAG_PARAMETERS, type PagOptions, pag } from './pag/definition.ts';
export { addPassInput, type EditResult, type PassFeeds, type PassInput, recordedResult } from './pass-input.ts';
export { expectPass, findPass, passDefinitions, registerPass } from './registry.ts';
export * from './slothful/index.ts';
