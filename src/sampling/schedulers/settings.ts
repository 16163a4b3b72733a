import { choice, type DocumentOf, flag, integer, number, object, optional } from '../../documents/index.ts';

export const PREDICTION_TYPES = ['epsilon', 'v_prediction'] as const;
export type PredictionType = (typeof PREDICTION_TYPES)[number];

export const TIMESTEP_SPACINGS = ['leading', 'trailing', 'linspace'] as const;
export type TimestepSpacing = (typeof TIMESTEP_SPACINGS)[number];

export const SIGMA_SCHEDULES = ['normal', 'karras'] as const;
export type SigmaSchedule = (typeof SIGMA_SCHEDULES)[number];

/** Whether diffusers' samplers know noise levels of that name. */
export const isSigmaSchedule = (name: string): name is SigmaSchedule => SIGMA_SCHEDULES.some((each) => each === name);

export const BETA_SCHEDULES = ['scaled_linear', 'linear'] as const;
export type BetaSchedule = (typeof BETA_SCHEDULES)[number];

/** What every sampler is told, under diffusers' names, except `sigmas`. */
export const SETTING_FIELDS = {
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
  rescale_betas_zero_snr: optional(
    flag({ description: 'the last timestep has nothing of the picture left (zero terminal SNR)' }),
  ),
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

const SETTINGS = object(SETTING_FIELDS);

/** What a sampler is made from. */
export type SchedulerSettings = DocumentOf<typeof SETTINGS>;
