export type { BesideSample } from './beside.ts';
export { betweenSteps, type WorkDone } from './between-steps.ts';
export type { Conditioning, RunConditioning } from './conditioning.ts';
export { DATA_SPACES, type DataSpace, dataSpaceOf, decodePictures, type Picture } from './decode.ts';
export { denoise } from './denoise.ts';
export type { DenoiseOptions, DenoiseStep, EvaluatedCall, StepFacts } from './denoise-options.ts';
export { around, type DenoisingModel } from './evaluate.ts';
export { batchParts, isGuided } from './guidance.ts';
export { guidanceEmbedding } from './guidance-embedding.ts';
export {
  batchNoise,
  checkSeed,
  type GivenNoise,
  type NoiseOptions,
  type NoisePurpose,
  type NoiseSource,
  noiseSource,
  normalNoise,
  ownNoiseSeed,
  parseSeed,
  type Seed,
} from './noise/index.ts';
export {
  isSolver,
  type ModelCall,
  makeSolver,
  modelCalls,
  type RunScheduler,
  type SolverScheduler,
  schedulerOfSettings,
} from './run-scheduler.ts';
export {
  drawsBatchAtOnce,
  pictureSeed,
  RNGS,
  type Rng,
  RUN_SETTINGS,
  type RunExtent,
  type RunSettings,
  seedSetting,
} from './run-settings.ts';
export {
  defaultConfig,
  hasSigmas,
  isSampler as isDiffusersSampler,
  isSigmaSchedule,
  makeScheduler,
  modelScheduler,
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
export {
  DEFINITIONS,
  type Definitions,
  isSolverConfig,
  SOLVER_CONFIG,
  type SolverChoice,
  type SolverConfig,
  withSolver,
} from './solver-config.ts';
export {
  expectSolver,
  LEFT_OUT,
  MOST_STEPS,
  parseSamplerName,
  parseScheduleName,
  SIGMA_SCHEDULES_COMFYUI,
  type SigmaScheduleComfyUI,
  SOLVERS,
  type SolverName,
} from './solvers/index.ts';
export { type DenoiseStart, firstStep } from './start.ts';
export { encodePrompt, parseTextTable, type TextTable, tokenize } from './text.ts';
export { type GuidedSizes, type PictureSize, type PictureSizes, timeIds, withSizes } from './time-ids.ts';
export { stacked, type Values } from './values.ts';
export { type ControlNetUse, withControlNets } from './with-control-nets.ts';
