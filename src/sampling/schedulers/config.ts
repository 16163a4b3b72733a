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

/** What a scheduler is made of. Field names are those of diffusers' scheduler_config.json, except `type` and `sigmas`. */
export interface SchedulerConfig {
  readonly type: SamplerName;
  readonly prediction_type: PredictionType;
  readonly timestep_spacing: TimestepSpacing;
  /** Added to every timestep of leading spacing. */
  readonly steps_offset: number;
  /** DDIM: the last step goes to no noise at all; otherwise to the noise of timestep 0. */
  readonly set_alpha_to_one: boolean;
  /** Which noise levels the Euler kin and DPM++ 2M visit; DDIM and LCM know `normal` only. */
  readonly sigmas: SigmaSchedule;
  /** DDIM: share of fresh noise, 0 (none, the default) to 1 (as DDPM). */
  readonly eta: number;
  readonly num_train_timesteps: number;
  readonly beta_start: number;
  readonly beta_end: number;
  readonly beta_schedule: BetaSchedule;
  /** DDIM and LCM: keep the predicted picture within +-clip_sample_range; for models of pixels, not of latents. */
  readonly clip_sample: boolean;
  readonly clip_sample_range: number;
  /** LCM: steps of the schedule that the model was distilled on. */
  readonly original_inference_steps: number;
  /** LCM: factor of the timestep in the boundary conditions. */
  readonly timestep_scaling: number;
}

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
