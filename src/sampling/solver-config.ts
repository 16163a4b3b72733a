import { choice, type DocumentOf, flag, named, object, optional } from '../documents/index.ts';
import type { SchedulerConfig } from './schedulers/index.ts';
import { SCHEDULER_FIELDS } from './schedulers/index.ts';
import { SIGMA_SCHEDULES_COMFYUI, type SigmaScheduleComfyUI, SOLVERS, type SolverName } from './solvers/index.ts';

const { prediction_type, num_train_timesteps, beta_start, beta_end, beta_schedule } = SCHEDULER_FIELDS;

/** Whose samplers and noise levels are meant: several have one name and other numbers. */
export const DEFINITIONS = ['diffusers', 'comfyui'] as const;
export type Definitions = (typeof DEFINITIONS)[number];

/** A sampler as ComfyUI defines it: how the noise levels are spaced, and what the model was trained with. */
export const SOLVER_CONFIG = named(
  'comfyui_scheduler',
  object({
    definitions: choice(['comfyui'], { description: 'whose samplers and noise levels these are' }),
    type: choice(SOLVERS),
    sigmas: choice(SIGMA_SCHEDULES_COMFYUI, { description: 'which noise levels are visited' }),
    ...{ prediction_type, num_train_timesteps, beta_start, beta_end, beta_schedule },
    model_sampling: optional(
      choice(['lcm'], { description: 'the node ModelSamplingDiscrete: a model of 50 timesteps' }),
    ),
    rescale_betas_zero_snr: optional(flag({ description: 'the same node: noise up to no picture at all' })),
  }),
);
export type SolverConfig = DocumentOf<typeof SOLVER_CONFIG>;

/** What is chosen of a sampler of ComfyUI's. */
export interface SolverChoice extends Pick<SolverConfig, 'model_sampling' | 'rescale_betas_zero_snr'> {
  readonly type: SolverName;
  /** Default: normal, as the node KSampler has it. */
  readonly sigmas?: SigmaScheduleComfyUI | undefined;
}

/** The same model's config with a sampler of ComfyUI's: betas and prediction stay. */
export function withSolver(config: SchedulerConfig, { type, sigmas = 'normal', ...more }: SolverChoice): SolverConfig {
  const { model_sampling, rescale_betas_zero_snr } = more;
  return {
    ...{ definitions: 'comfyui', type, sigmas },
    prediction_type: config.prediction_type,
    num_train_timesteps: config.num_train_timesteps,
    beta_start: config.beta_start,
    beta_end: config.beta_end,
    beta_schedule: config.beta_schedule,
    ...(model_sampling ? { model_sampling } : {}),
    ...((rescale_betas_zero_snr ?? config.rescale_betas_zero_snr) ? { rescale_betas_zero_snr: true } : {}),
  };
}

/** Whether a config is of ComfyUI's definitions. */
export function isSolverConfig(config: SchedulerConfig | SolverConfig): config is SolverConfig {
  return 'definitions' in config;
}
