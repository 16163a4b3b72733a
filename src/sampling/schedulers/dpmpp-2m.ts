import {
  addNoiseByShares,
  at,
  combine,
  originalOf,
  type Sampler,
  type SamplerRun,
  type StepInput,
} from './scheduler.ts';
import type { SchedulerSettings } from './settings.ts';
import { solverSteps } from './sigma-steps.ts';

/** DPM-Solver++(2M) (Lu et al. 2022), as DPMSolverMultistepScheduler of order 2, midpoint, last sigma zero. */
export const dpmpp2m: Sampler = {
  make,
  classes: { DPMSolverMultistepScheduler: undefined },
  spacing: 'linspace',
  hasSigmas: true,
  fixed: [
    ['algorithm_type', ['dpmsolver++']],
    ['solver_order', [2]],
    ['solver_type', ['midpoint']],
  ],
};

function make(config: SchedulerSettings, steps: number): SamplerRun {
  const { timesteps, levels } = solverSteps(config, steps);
  const sigmas = [...levels.subarray(0, -1)];
  return {
    timesteps,
    sigmas,
    initNoiseSigma: 1,
    addNoise: addNoiseByShares(sigmas),
    needsNoise: () => false,
    scaleInput: (sample) => sample,
    step: (step, input) => {
      const now = shares(at(levels, step));
      const next = shares(at(levels, step + 1));
      const predictedOriginal = originalOf(config.prediction_type, input, now.alpha, now.sigma);
      const h = next.lambda - now.lambda;
      const target = levels[step + 1] === 0 ? undefined : lookBack(levels, step, input, h);
      const ahead = -next.alpha * Math.expm1(-h);
      const terms: [number, Float32Array][] = [
        [next.sigma / now.sigma, input.sample],
        [ahead * (1 + (target?.weight ?? 0)), predictedOriginal],
      ];
      if (target) terms.push([-ahead * target.weight, target.previous]);
      return { sample: combine(...terms), predictedOriginal };
    },
  };
}

/** Shares of picture and noise at a noise level, and half the logarithm of their ratio (0: infinity). */
function shares(level: number) {
  const alpha = 1 / Math.sqrt(level ** 2 + 1);
  return { alpha, sigma: level * alpha, lambda: -Math.log(level) };
}

/** How much the last step's picture bends this one's: nothing at the first step. */
function lookBack(levels: Float32Array, step: number, { previousOriginal }: StepInput, h: number) {
  if (step === 0 || !previousOriginal) return undefined;
  const before = shares(at(levels, step)).lambda - shares(at(levels, step - 1)).lambda;
  return { weight: h / (2 * before), previous: previousOriginal };
}
