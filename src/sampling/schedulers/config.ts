import { choice, type DocumentOf, flag, integer, named, number, object } from '../../documents/index.ts';
import { SlothfulError } from '../../errors.ts';

/** The samplers, under the names that users of Stable Diffusion's tools know. */
export const SAMPLERS = ['ddim', 'euler', 'euler_ancestral', 'dpmpp_2m', 'lcm'] as const;
export type SamplerName = (typeof SAMPLERS)[number];

export const PREDICTION_TYPES = ['epsilon', 'v_prediction'] as const;
export type PredictionType = (typeof PREDICTION_TYPES)[number];

export const TIMESTEP_SPACINGS = ['leading', 'trailing', 'linspace'] as const;
export type TimestepSpacing = (typeof TIMESTEP_SPACINGS)[number];

export const SIGMA_SCHEDULES = ['normal', 'karras'] as const;
export type SigmaSchedule = (typeof SIGMA_SCHEDULES)[number];

export const BETA_SCHEDULES = ['scaled_linear', 'linear'] as const;
export type BetaSchedule = (typeof BETA_SCHEDULES)[number];

/** The fields of a scheduler's config, under diffusers' names, except `type` and `sigmas`. */
export const SCHEDULER_FIELDS = {
  type: choice(SAMPLERS),
  prediction_type: choice(PREDICTION_TYPES),
  timestep_spacing: choice(TIMESTEP_SPACINGS),
  steps_offset: integer({ minimum: 0, description: 'added to every timestep of leading spacing' }),
  set_alpha_to_one: flag({
    description: 'DDIM: the last step goes to no noise at all; otherwise to the noise of timestep 0',
  }),
  sigmas: choice(SIGMA_SCHEDULES, {
    description: 'which noise levels the Euler kin and DPM++ 2M visit; DDIM and LCM know normal only',
  }),
  eta: number({ minimum: 0, maximum: 1, description: 'DDIM: share of fresh noise, 0 (none) to 1 (as DDPM)' }),
  num_train_timesteps: integer({ minimum: 2, maximum: 1e6 }),
  beta_start: number({ exclusiveMinimum: 0, maximum: 0.999 }),
  beta_end: number({ exclusiveMinimum: 0, maximum: 0.999 }),
  beta_schedule: choice(BETA_SCHEDULES),
  clip_sample: flag({
    description:
      'DDIM and LCM: keep the predicted picture within +-clip_sample_range; for models of pixels, not of latents',
  }),
  clip_sample_range: number({ exclusiveMinimum: 0, maximum: 1e6 }),
  original_inference_steps: integer({
    minimum: 1,
    description: 'LCM: steps of the schedule that the model was distilled on',
  }),
  timestep_scaling: number({
    exclusiveMinimum: 0,
    maximum: 1e6,
    description: 'LCM: factor of the timestep in the boundary conditions',
  }),
};

/** A scheduler's config as our own documents have it: every field, and no other. */
export const SCHEDULER_CONFIG = named('scheduler', object(SCHEDULER_FIELDS));

/** What a scheduler is made of. */
export type SchedulerConfig = DocumentOf<typeof SCHEDULER_CONFIG>;

const SPACINGS: Record<SamplerName, TimestepSpacing> = {
  ddim: 'leading',
  lcm: 'leading',
  euler: 'linspace',
  euler_ancestral: 'linspace',
  dpmpp_2m: 'linspace',
};

/**
 * A sampler with Stable Diffusion's own values: epsilon, scaled-linear betas, offset 1, the last alpha not 1, no
 * clipping. The spacing is the one that diffusers' class of that sampler has where its config does not say.
 */
export function defaultConfig(type: SamplerName): SchedulerConfig {
  return {
    type,
    prediction_type: 'epsilon',
    timestep_spacing: SPACINGS[type],
    steps_offset: 1,
    set_alpha_to_one: false,
    sigmas: 'normal',
    eta: 0,
    num_train_timesteps: 1000,
    beta_start: 0.00085,
    beta_end: 0.012,
    beta_schedule: 'scaled_linear',
    clip_sample: false,
    clip_sample_range: 1,
    original_inference_steps: 50,
    timestep_scaling: 10,
  };
}

/** True for samplers that go by noise levels, which can be spaced as Karras et al. do. */
export function hasSigmas(type: SamplerName): boolean {
  return type !== 'ddim' && type !== 'lcm';
}

/**
 * The same model's config for another sampler: spacing, betas and prediction stay; what the other has not (Karras
 * sigmas, eta, clipping) goes.
 */
export function withSampler(config: SchedulerConfig, type: SamplerName): SchedulerConfig {
  const sigmas = hasSigmas(type) ? config.sigmas : 'normal';
  const clip_sample = config.clip_sample && !hasSigmas(type);
  return { ...config, type, sigmas, clip_sample, eta: type === 'ddim' ? config.eta : 0 };
}

/**
 * Refuses what a sampler cannot do, rather than dropping it.
 *
 * @throws SlothfulError `bad-parameter` naming the field
 */
export function checkConfig(config: SchedulerConfig, place: string): SchedulerConfig {
  const { type, beta_start, beta_end } = config;
  const refuse = (problem: string, cure?: string) => new SlothfulError('bad-parameter', place, problem, cure);
  if (config.sigmas === 'karras' && !hasSigmas(type)) {
    throw refuse(`sigmas "karras" is not for ${type}`, 'choose euler, euler_ancestral or dpmpp_2m');
  }
  if (config.eta !== 0 && type !== 'ddim') throw refuse(`eta is for ddim only, not for ${type}`, 'leave it out');
  if (config.clip_sample && hasSigmas(type)) throw refuse(`clip_sample is for ddim and lcm only, not for ${type}`);
  if (beta_start > beta_end) throw refuse(`beta_start ${beta_start} is above beta_end ${beta_end}`);
  return config;
}
