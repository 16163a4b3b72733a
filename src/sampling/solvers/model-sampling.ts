import { combine } from '../schedulers/scheduler.ts';
import type { PredictionType } from '../schedulers/settings.ts';
import { distilledTable, type SigmaTable, type TrainingNoise, trainingTable } from './sigma-table.ts';

/** How a model was trained, and how it is to be read: what ComfyUI's ModelSamplingDiscrete node chooses. */
export interface ModelSamplingSettings extends TrainingNoise {
  readonly prediction_type: PredictionType;
  /** `lcm`: a latent consistency model, which is taken to predict noise whatever `prediction_type` says. */
  readonly kind: 'eps' | 'lcm';
  /** Noise levels that rise until nothing of the picture is left. */
  readonly zsnr: boolean;
}

/** Between a sampler, whose sample is picture + sigma * noise, and a model, which knows timesteps and variance 1. */
export interface ModelSampling {
  /** The noise levels that the model knows, rising. */
  readonly sigmas: Float32Array;
  readonly sigmaMin: number;
  readonly sigmaMax: number;
  /** What the model is told at a noise level: the timestep of the nearest level that it knows, never a fraction. */
  timestep(sigma: number): number;
  /** The noise level of a timestep, which may be fractional; the end's beyond the ends. */
  sigma(timestep: number): number;
  /** The picture that a model's output means for a sample (not scaled) at a noise level. */
  denoised(modelOutput: Float32Array, sample: Float32Array, sigma: number): Float32Array;
  /** The sample as the model takes it. */
  scaleInput(sample: Float32Array, sigma: number): Float32Array;
  /** Where a run starts: standard normal noise, on a latent where there is one. */
  initialSample(noise: Float32Array, latent: Float32Array | undefined, sigma: number): Float32Array;
}

/** How many noise levels a latent consistency model was distilled on. */
const DISTILLED = 50;
const SIGMA_DATA = 0.5;
/** What an LCM's timestep is multiplied by in its boundary conditions. */
const TIMESTEP_SCALING = 10;
/** How near to the highest level counts as it: Karras' spacing misses it by rounding. */
const HIGHEST_WITHIN = 1e-5;

const f32 = Math.fround;

/**
 * ComfyUI's ModelSamplingDiscrete: noise levels, timesteps, and what a model's output means.
 *
 * Levels and their logarithms are float32, and the nearest is told by differences of float32: ties hang on it.
 */
export function modelSampling(settings: ModelSamplingSettings): ModelSampling {
  const isLcm = settings.kind === 'lcm';
  const stride = isLcm ? Math.max(1, Math.floor(settings.num_train_timesteps / DISTILLED)) : 1;
  const training = trainingTable(settings, settings.zsnr);
  const table = isLcm ? distilledTable(training, stride) : training;
  const { sigmas } = table;
  const sigmaMax = sigmas[sigmas.length - 1] ?? 0;
  const timestep = (sigma: number) => nearest(table, sigma) * stride + stride - 1;
  return {
    sigmas,
    sigmaMin: sigmas[0] ?? 0,
    sigmaMax,
    timestep,
    sigma: (at) => levelAt(table, f32(f32(at - (stride - 1)) / stride)),
    denoised: isLcm
      ? (modelOutput, sample, sigma) => consistent(modelOutput, sample, sigma, timestep(sigma))
      : denoisedBy(settings),
    scaleInput: (sample, sigma) => combine([1 / Math.sqrt(sigma ** 2 + 1), sample]),
    initialSample: (noise, latent, sigma) => {
      const isHighest = sigma > sigmaMax || sigmaMax - sigma <= HIGHEST_WITHIN * sigmaMax;
      const factor = isHighest ? Math.sqrt(1 + sigma ** 2) : sigma;
      return latent ? combine([factor, noise], [1, latent]) : combine([factor, noise]);
    },
  };
}

/** The row of the level whose logarithm is nearest; of two that are as near, the lower. */
function nearest({ logSigmas }: SigmaTable, sigma: number): number {
  const wanted = f32(Math.log(f32(sigma)));
  let best = 0;
  let least = Number.POSITIVE_INFINITY;
  for (const [row, level] of logSigmas.entries()) {
    const distance = Math.abs(f32(wanted - level));
    if (distance < least) [best, least] = [row, distance];
  }
  return best;
}

/** The level at a row that may be fractional: its logarithm is linear between neighbours. */
function levelAt({ logSigmas }: SigmaTable, row: number): number {
  const place = Math.min(Math.max(row, 0), logSigmas.length - 1);
  const low = logSigmas[Math.floor(place)] ?? 0;
  const high = logSigmas[Math.ceil(place)] ?? low;
  const weight = f32(place - Math.floor(place));
  return f32(Math.exp(f32(f32(f32(1 - weight) * low) + f32(weight * high))));
}

function denoisedBy({ prediction_type }: ModelSamplingSettings): ModelSampling['denoised'] {
  if (prediction_type === 'epsilon') return (noise, sample, sigma) => combine([1, sample], [-sigma, noise]);
  return (velocity, sample, sigma) => {
    const variance = sigma ** 2 + 1;
    return combine([1 / variance, sample], [-sigma / Math.sqrt(variance), velocity]);
  };
}

/** A latent consistency model's picture after the boundary conditions (Luo et al. 2023). */
function consistent(noise: Float32Array, sample: Float32Array, sigma: number, timestep: number): Float32Array {
  const scaled = timestep * TIMESTEP_SCALING;
  const sum = scaled ** 2 + SIGMA_DATA ** 2;
  const out = scaled / Math.sqrt(sum);
  return combine([out + SIGMA_DATA ** 2 / sum, sample], [-out * sigma, noise]);
}
