import { trainingSchedule } from './schedule.ts';
import {
  addNoiseByShares,
  at,
  combine,
  epsilonOf,
  noiseOf,
  originalOf,
  type Sampler,
  type SamplerRun,
  type StepInput,
  type StepResult,
} from './scheduler.ts';
import type { SchedulerSettings } from './settings.ts';
import { spacedTimesteps } from './spacing.ts';

const PNDM_NOTE = 'the model was saved with PNDMScheduler; DDIM with the same timesteps stands for it';

/** DDIM (Song et al. 2021, equations 12 and 16), as diffusers' DDIMScheduler. */
export const ddim: Sampler = {
  make,
  classes: { DDIMScheduler: undefined, PNDMScheduler: PNDM_NOTE },
  spacing: 'leading',
  hasEta: true,
};

function make(config: SchedulerSettings, steps: number): SamplerRun {
  const { alphasCumprod, sigmas } = trainingSchedule(config);
  const timesteps = spacedTimesteps(config, steps, false);
  const stride = Math.floor(config.num_train_timesteps / steps);
  const end = config.set_alpha_to_one ? 1 : at(alphasCumprod, 0);
  const alphaOf = (timestep: number) => (timestep < 0 ? end : at(alphasCumprod, timestep));
  const levels = timesteps.map((timestep) => at(sigmas, timestep));
  return {
    timesteps,
    sigmas: levels,
    initNoiseSigma: 1,
    addNoise: addNoiseByShares(levels),
    needsNoise: () => config.eta > 0,
    scaleInput: (sample) => sample,
    step: (step, input) => {
      const timestep = at(timesteps, step);
      return advance(config, input, step, alphaOf(timestep), alphaOf(timestep - stride));
    },
  };
}

/** One step, from cumulative alpha `now` to `next`. */
function advance(config: SchedulerSettings, input: StepInput, step: number, now: number, next: number): StepResult {
  const { prediction_type, eta, clip_sample, clip_sample_range: range } = config;
  const [alpha, sigma] = [Math.sqrt(now), Math.sqrt(1 - now)];
  const original = originalOf(prediction_type, input, alpha, sigma);
  const predictedOriginal = clip_sample ? original.map((x) => Math.min(Math.max(x, -range), range)) : original;
  const epsilon = epsilonOf(prediction_type, input, alpha, sigma);
  const fresh = eta * Math.sqrt(((1 - next) / (1 - now)) * (1 - now / next));
  const terms: [number, Float32Array][] = [
    [Math.sqrt(next), predictedOriginal],
    [Math.sqrt(Math.max(1 - next - fresh ** 2, 0)), epsilon],
  ];
  if (eta > 0) terms.push([fresh, noiseOf(input, step)]);
  return { sample: combine(...terms), predictedOriginal };
}
