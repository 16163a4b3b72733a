export {
  defaultConfig,
  hasSigmas,
  makeScheduler,
  SCHEDULER_CONFIG,
  SCHEDULER_FIELDS,
  type Scheduler,
  type SchedulerConfig,
  withSampler,
} from './config.ts';
export { type AskedScheduler, modelScheduler, type ParsedScheduler, parseSchedulerConfig } from './parse-config.ts';
export { isSampler, SAMPLERS, type SamplerName } from './registry.ts';
export type { StepInput, StepResult } from './scheduler.ts';
export {
  isSigmaSchedule,
  PREDICTION_TYPES,
  type PredictionType,
  SIGMA_SCHEDULES,
  type SigmaSchedule,
  TIMESTEP_SPACINGS,
  type TimestepSpacing,
} from './settings.ts';
