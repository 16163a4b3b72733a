export { betweenSteps, type WorkDone } from './between-steps.ts';
export type { Conditioning, RunConditioning } from './conditioning.ts';
export { DATA_SPACES, type DataSpace, dataSpaceOf, decodePictures, type Picture } from './decode.ts';
export { type DenoiseOptions, type DenoiseStep, denoise, type StepFacts } from './denoise.ts';
export type { DenoisingModel } from './evaluate.ts';
export { batchNoise, checkSeed, type GivenNoise, type NoisePurpose, normalNoise } from './noise.ts';
export { RUN_SETTINGS, type RunExtent, type RunSettings } from './run-settings.ts';
export {
  defaultConfig,
  hasSigmas,
  makeScheduler,
  type ParsedScheduler,
  PREDICTION_TYPES,
  type PredictionType,
  parseSchedulerConfig,
  SAMPLERS,
  type SamplerName,
  SCHEDULER_CONFIG,
  type Scheduler,
  type SchedulerConfig,
  SIGMA_SCHEDULES,
  type SigmaSchedule,
  type StepInput,
  type StepResult,
  TIMESTEP_SPACINGS,
  type TimestepSpacing,
  withSampler,
} from './schedulers/index.ts';
export { type DenoiseStart, firstStep } from './start.ts';
export { encodePrompt, parseTextTable, type TextTable, tokenize } from './text.ts';
export { type GuidedSizes, type PictureSize, type PictureSizes, timeIds, withSizes } from './time-ids.ts';
export { stacked, type Values } from './values.ts';
export { type ControlNetUse, withControlNets } from './with-control-nets.ts';
