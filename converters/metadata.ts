import { SlothfulError } from '../src/errors.ts';
import type { JsonObject } from '../src/graph/index.ts';
import { isObject } from '../src/graph/index.ts';
import type { Family, UNetConfig } from './unet/config.ts';

/** How a model's latents become a picture, where no VAE is needed. */
export type DataSpace = 'latent' | 'premultiplied-rgba';

const SCHEDULER_COMMON = {
  num_train_timesteps: 1000,
  beta_start: 0.00085,
  beta_end: 0.012,
  beta_schedule: 'scaled_linear',
  prediction_type: 'epsilon',
  timestep_spacing: 'leading',
  steps_offset: 1,
};

/** What each family ships as its scheduler_config.json, as far as the sampler's arithmetic depends on it. */
const SCHEDULER_DEFAULTS: Readonly<Record<Family, JsonObject>> = {
  sd15: { _class_name: 'DDIMScheduler', ...SCHEDULER_COMMON, set_alpha_to_one: false, clip_sample: false },
  sdxl: { _class_name: 'EulerDiscreteScheduler', ...SCHEDULER_COMMON },
  ssd1b: { _class_name: 'EulerDiscreteScheduler', ...SCHEDULER_COMMON },
};

/** Fields of a scheduler_config.json that change the arithmetic; the rest is left behind. */
const SCHEDULER_FIELDS = [
  '_class_name',
  ...Object.keys(SCHEDULER_COMMON),
  'set_alpha_to_one',
  'clip_sample',
  'thresholding',
  'use_karras_sigmas',
  'rescale_betas_zero_snr',
  'original_inference_steps',
  'timestep_scaling',
];

/** The scheduler that a checkpoint asks for: its own config over the family's defaults. */
export function schedulerMetadata(family: Family, schedulerConfig: unknown): JsonObject {
  const defaults = SCHEDULER_DEFAULTS[family];
  if (schedulerConfig === undefined) return defaults;
  if (!isObject(schedulerConfig)) {
    throw new SlothfulError('bad-checkpoint', 'scheduler/scheduler_config.json', 'is not a JSON object');
  }
  const own = Object.entries(schedulerConfig).filter(
    ([name, value]) => SCHEDULER_FIELDS.includes(name) && value !== null,
  );
  return { ...defaults, ...Object.fromEntries(own) };
}

/** `userDefinedMetadata` of a converted UNet. */
export function unetMetadata(
  config: UNetConfig,
  from: { schedulerConfig: unknown; dataSpace: DataSpace; layout: string; notes?: JsonObject },
): JsonObject {
  const scheduler = schedulerMetadata(config.family, from.schedulerConfig);
  return {
    kind: 'unet',
    family: config.family,
    prediction_type: scheduler.prediction_type ?? 'epsilon',
    scheduler,
    data_space: from.dataSpace,
    unet: config,
    ...from.notes,
  };
}
