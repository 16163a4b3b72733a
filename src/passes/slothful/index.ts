export {
  CONTROL_COLUMNS,
  type ControlRow,
  decodeControl,
  encodeControl,
  isUntouched,
  UNTOUCHED,
} from './control.ts';
export { type PatchedSite, readSlothfulMetadata, type SlothfulMetadata } from './metadata.ts';
export {
  type BooleanSpec,
  type ChoiceSpec,
  type NumberSpec,
  PARAMETERS,
  type ParameterSpec,
  POOLING_MODES,
  type PoolingMode,
  SIMPLE_PARAMETERS,
  type SimpleParameters,
  type SlothfulOptions,
  type SlothfulParameters,
} from './parameters.ts';
export {
  DEFAULT_PARAMETERS,
  DEFAULT_SIMPLE_PARAMETERS,
  parseParameters,
  simpleParameters,
} from './parse-parameters.ts';
export { sigmaOfTimestep, timeFactor } from './sigma.ts';
export {
  type DepthRange,
  type SiteBlock,
  type Stride,
  type StrideSite,
  siteStride,
  UNTOUCHED_REASONS,
  type UntouchedReason,
} from './stride.ts';
export { controlRow, type Grid, kvTokens } from './window.ts';
export { parametersFromJson } from './workflow.ts';
