import { choice, type DocumentOf, named, object } from '../../documents/index.ts';
import { SlothfulError } from '../../errors.ts';
import { SAMPLERS, type SamplerName, samplerOf, samplersWith } from './registry.ts';
import type { SamplerRun } from './scheduler.ts';
import { SETTING_FIELDS } from './settings.ts';

/** The fields of a scheduler's config, under diffusers' names, except `type` and `sigmas`. */
export const SCHEDULER_FIELDS = { type: choice(SAMPLERS), ...SETTING_FIELDS };

/** A scheduler's config as our own documents have it: every field, and no other. */
export const SCHEDULER_CONFIG = named('scheduler', object(SCHEDULER_FIELDS));

/** What a scheduler is made of. */
export type SchedulerConfig = DocumentOf<typeof SCHEDULER_CONFIG>;

/** The steps of one run of a sampler. It keeps no state: the same step of the same input gives the same result. */
export interface Scheduler extends SamplerRun {
  readonly type: SamplerName;
}

/**
 * A sampler with Stable Diffusion's own values: epsilon, scaled-linear betas, offset 1, the last alpha not 1, no
 * clipping. The spacing is the one that diffusers' class of that sampler has where its config does not say.
 */
export function defaultConfig(type: SamplerName): SchedulerConfig {
  return {
    type,
    prediction_type: 'epsilon',
    timestep_spacing: samplerOf(type).spacing,
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
  return samplerOf(type).hasSigmas === true;
}

/**
 * The same model's config for another sampler: spacing, betas and prediction stay; what the other lacks (Karras
 * sigmas, eta, clipping) goes.
 */
export function withSampler(config: SchedulerConfig, type: SamplerName): SchedulerConfig {
  const sigmas = hasSigmas(type) ? config.sigmas : 'normal';
  const clip_sample = config.clip_sample && !hasSigmas(type);
  return { ...config, type, sigmas, clip_sample, eta: samplerOf(type).hasEta ? config.eta : 0 };
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
    const others = samplersWith((sampler) => sampler.hasSigmas === true);
    throw refuse(`sigmas "karras" is not for ${type}`, `they are for ${others}`);
  }
  if (config.eta !== 0 && !samplerOf(type).hasEta) {
    const others = samplersWith((sampler) => sampler.hasEta === true);
    throw refuse(`eta is for ${others} only, not for ${type}`, 'leave it out');
  }
  if (config.clip_sample && hasSigmas(type)) {
    throw refuse(`clip_sample is for ${samplersWith((sampler) => !sampler.hasSigmas)} only, not for ${type}`);
  }
  if (beta_start > beta_end) throw refuse(`beta_start ${beta_start} is above beta_end ${beta_end}`);
  return config;
}

/**
 * The scheduler of a run.
 *
 * @param config of `parseSchedulerConfig` or `defaultConfig`, changed as you like
 * @param steps how many evaluations of the model, 1 to the training's timesteps (LCM: to its distillation's)
 * @throws SlothfulError `bad-parameter` for a combination that the sampler does not have, or for steps out of range
 */
export function makeScheduler(config: SchedulerConfig, steps: number): Scheduler {
  const { type } = checkConfig(config, 'scheduler');
  return { type, ...samplerOf(type).make(config, steps) };
}
