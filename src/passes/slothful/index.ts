export type { Grid, PatchedSite } from '../../attention/index.ts';
export { sigmaOfTimestep } from '../sigma.ts';
export {
  CONTROL_COLUMNS,
  type ControlRow,
  controlRow,
  decodeControl,
  encodeControl,
  isUntouched,
  kvTokens,
  pooledGrid,
  UNTOUCHED,
} from './control.ts';
export {
  defaultHook,
  type HookStep,
  type RewriteOptions,
  readSlothfulMetadata,
  rowsOfHook,
  SLOTHFUL,
  SLOTHFUL_SECOND,
  type SlothfulHook,
  type SlothfulMetadata,
  slothful,
} from './definition.ts';
export { parametersFromObject } from './parameter-object.ts';
export {
  ALL_PARAMETERS,
  DEFAULT_PARAMETERS,
  DEFAULT_SIMPLE_PARAMETERS,
  PARAMETERS,
  POOLING_MODES,
  type PoolingMode,
  parseParameters,
  SIMPLE_PARAMETERS,
  type SimpleParameters,
  type SiteBlock,
  type SlothfulOptions,
  type SlothfulParameters,
  sideOf,
  simpleParameters,
} from './parameters.ts';
export {
  type DepthRange,
  type Stride,
  type StrideSite,
  siteStride,
  timeFactor,
  UNTOUCHED_REASONS,
  type UntouchedReason,
} from './stride.ts';
