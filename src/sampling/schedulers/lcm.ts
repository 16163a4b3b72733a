import { SlothfulError } from '../../errors.ts';
import { trainingSchedule } from './schedule.ts';
import { addNoiseByShares, at, combine, noiseOf, originalOf, type Sampler, type SamplerRun } from './scheduler.ts';
import type { SchedulerSettings } from './settings.ts';
import { checkSteps } from './spacing.ts';

const SIGMA_DATA = 0.5;

/**
 * Latent consistency models' multistep sampling (Luo et al. 2023), as LCMScheduler. Its `predictedOriginal` is the
 * denoised picture after the boundary conditions.
 */
export const lcm: Sampler = {
  make,
  classes: { LCMScheduler: undefined },
  spacing: 'leading',
};

function make(config: SchedulerSettings, steps: number): SamplerRun {
  const { alphasCumprod, sigmas } = trainingSchedule(config);
  const timesteps = distilledTimesteps(config, steps);
  const { clip_sample, clip_sample_range: range } = config;
  const levels = timesteps.map((timestep) => at(sigmas, timestep));
  return {
    timesteps,
    sigmas: levels,
    initNoiseSigma: 1,
    addNoise: addNoiseByShares(levels),
    needsNoise: (step) => step < steps - 1,
    scaleInput: (sample) => sample,
    step: (step, input) => {
      const timestep = at(timesteps, step);
      const now = at(alphasCumprod, timestep);
      const original = originalOf(config.prediction_type, input, Math.sqrt(now), Math.sqrt(1 - now));
      const clipped = clip_sample ? original.map((x) => Math.min(Math.max(x, -range), range)) : original;
      const { skip, out } = boundary(timestep * config.timestep_scaling);
      const predictedOriginal = combine([out, clipped], [skip, input.sample]);
      if (step === steps - 1) return { sample: predictedOriginal, predictedOriginal };
      const next = at(alphasCumprod, at(timesteps, step + 1));
      const noise = noiseOf(input, step);
      return { sample: combine([Math.sqrt(next), predictedOriginal], [Math.sqrt(1 - next), noise]), predictedOriginal };
    },
  };
}

/** Even picks among the timesteps that the model was distilled on, noisiest first. */
function distilledTimesteps(config: SchedulerSettings, steps: number): number[] {
  const { original_inference_steps: origin, num_train_timesteps: train } = config;
  checkSteps(steps, origin);
  const stride = Math.floor(train / origin);
  if (stride < 1) {
    const problem = `original_inference_steps ${origin} is above num_train_timesteps ${train}`;
    throw new SlothfulError('bad-parameter', 'lcm', problem);
  }
  return Array.from({ length: steps }, (_, k) => (origin - Math.floor((origin * k) / steps)) * stride - 1);
}

function boundary(scaled: number): { skip: number; out: number } {
  const sum = scaled ** 2 + SIGMA_DATA ** 2;
  return { skip: SIGMA_DATA ** 2 / sum, out: scaled / Math.sqrt(sum) };
}
