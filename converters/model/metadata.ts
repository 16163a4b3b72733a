import { SlothfulError } from '../../src/errors.ts';
import { type FamilyName, familyOrUsual } from '../../src/families/index.ts';
import { isObject, type JsonObject } from '../../src/graph/index.ts';
import type { SamplingFacts } from '../checkpoint/index.ts';
import type { UNetConfig } from '../unet/index.ts';

/** How a model's latents become a picture, where no VAE is needed. */
export type DataSpace = 'latent' | 'premultiplied-rgba';

/**
 * The scheduler that a checkpoint asks for. A whole scheduler_config.json is carried as it is, so that the samplers can
 * refuse by name what they do not have; the family's defaults stand in where there is none. What else is known of sampling
 * goes over either.
 */
export function schedulerMetadata(family: FamilyName, schedulerConfig: unknown, facts: SamplingFacts): JsonObject {
  return { ...ownScheduler(family, schedulerConfig), ...schedulerFields(facts) };
}

/**
 * Zero terminal SNR goes with timesteps that begin at the last one, where there is no picture left.
 * Source: Lin et al. 2023, "Common Diffusion Noise Schedules and Sample Steps are Flawed".
 */
function schedulerFields({ prediction_type, zero_snr }: SamplingFacts): JsonObject {
  return {
    ...(prediction_type ? { prediction_type } : {}),
    ...(zero_snr === undefined ? {} : { rescale_betas_zero_snr: zero_snr }),
    ...(zero_snr ? { timestep_spacing: 'trailing' } : {}),
  };
}

function ownScheduler(family: FamilyName, schedulerConfig: unknown): JsonObject {
  const { scheduler: defaults } = familyOrUsual(family);
  if (schedulerConfig === undefined) return defaults;
  if (!isObject(schedulerConfig)) {
    throw new SlothfulError('bad-checkpoint', 'scheduler/scheduler_config.json', 'is not a JSON object');
  }
  const { _diffusers_version, ...own } = schedulerConfig;
  return typeof own._class_name === 'string' ? own : { ...defaults, ...own };
}

/** `userDefinedMetadata` of a converted UNet. */
export function unetMetadata(
  config: UNetConfig,
  from: {
    schedulerConfig: unknown;
    sampling?: SamplingFacts;
    dataSpace: DataSpace;
    wantsLcm?: boolean;
    notes?: JsonObject;
  },
): JsonObject {
  const scheduler = schedulerMetadata(config.family, from.schedulerConfig, from.sampling ?? {});
  return {
    kind: 'unet',
    family: config.family,
    prediction_type: scheduler.prediction_type ?? 'epsilon',
    scheduler,
    // Suggested, not set: which sampler runs is the user's choice, and other LoRAs may be in the model too.
    ...(from.wantsLcm ? { suggested_scheduler: { ...scheduler, _class_name: 'LCMScheduler' } } : {}),
    data_space: from.dataSpace,
    unet: unetRecord(config),
    ...from.notes,
  };
}

/** What a model's metadata say of its UNet; `unetField` of src/models reads it. */
export function unetRecord({ down, mid, up, addition, guidanceDim, ...config }: UNetConfig): JsonObject {
  return {
    family: config.family,
    in_channels: config.inChannels,
    out_channels: config.outChannels,
    sample_size: config.sampleSize,
    norm_groups: config.normGroups,
    norm_eps: config.normEps,
    context_dim: config.contextDim,
    linear_projection: config.linearProjection,
    down,
    mid,
    up,
    ...(guidanceDim === null ? {} : { time_cond_proj_dim: guidanceDim }),
    addition: addition && { time_embed_dim: addition.timeEmbedDim, text_embed_dim: addition.textEmbedDim },
  };
}
