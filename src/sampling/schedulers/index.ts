export {
  defaultConfig,
  hasSigmas,
  PREDICTION_TYPES,
  type PredictionType,
  SAMPLERS,
  type SamplerName,
  SCHEDULER_CONFIG,
  type SchedulerConfig,
  SIGMA_SCHEDULES,
  type SigmaSchedule,
  TIMESTEP_SPACINGS,
  type TimestepSpacing,
  withSampler,
} from './config.ts';
export { makeScheduler } from './make.ts';
export { type ParsedScheduler, parseSchedulerConfig } from './parse-config.ts';
export type { Scheduler, StepInput, StepResult } from './scheduler.ts';
