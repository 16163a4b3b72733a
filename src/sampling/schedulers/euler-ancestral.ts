import { eulerBasics, eulerPrediction } from './euler.ts';
import { at, combine, noiseOf, type Sampler, type SamplerRun } from './scheduler.ts';
import type { SchedulerSettings } from './settings.ts';
import { eulerSteps } from './sigma-steps.ts';

/**
 * Euler's method with fresh noise at every step, as EulerAncestralDiscreteScheduler. diffusers' has no Karras sigmas;
 * here they are spaced as Euler's.
 */
export const eulerAncestral: Sampler = {
  make,
  classes: { EulerAncestralDiscreteScheduler: undefined },
  spacing: 'linspace',
  hasSigmas: true,
};

function make(config: SchedulerSettings, steps: number): SamplerRun {
  const run = eulerSteps(config, steps);
  return {
    ...eulerBasics(config, run),
    needsNoise: (step) => at(run.levels, step + 1) > 0,
    step: (step, input) => {
      const sigma = at(run.levels, step);
      const next = at(run.levels, step + 1);
      const { epsilon, predictedOriginal } = eulerPrediction(config, input, sigma);
      const up = Math.sqrt((next ** 2 * (sigma ** 2 - next ** 2)) / sigma ** 2);
      const down = Math.sqrt(next ** 2 - up ** 2);
      const terms: [number, Float32Array][] = [
        [1, input.sample],
        [down - sigma, epsilon],
      ];
      if (next > 0) terms.push([up, noiseOf(input, step)]);
      return { sample: combine(...terms), predictedOriginal };
    },
  };
}
