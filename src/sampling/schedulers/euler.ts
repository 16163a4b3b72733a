import {
  addNoiseBySigma,
  at,
  combine,
  epsilonOf,
  originalOf,
  type Sampler,
  type SamplerRun,
  type StepInput,
} from './scheduler.ts';
import type { SchedulerSettings } from './settings.ts';
import { eulerSteps, type SigmaSteps } from './sigma-steps.ts';

/** Euler's method on the noise level (Karras et al. 2022, algorithm 2 without churn), as EulerDiscreteScheduler. */
export const euler: Sampler = {
  make,
  classes: { EulerDiscreteScheduler: undefined },
  spacing: 'linspace',
  hasSigmas: true,
};

function make(config: SchedulerSettings, steps: number): SamplerRun {
  const run = eulerSteps(config, steps);
  return {
    ...eulerBasics(config, run),
    needsNoise: () => false,
    step: (step, input) => {
      const sigma = at(run.levels, step);
      const { epsilon, predictedOriginal } = eulerPrediction(config, input, sigma);
      return { sample: combine([1, input.sample], [at(run.levels, step + 1) - sigma, epsilon]), predictedOriginal };
    },
  };
}

/** What both Eulers have in common. Their sample is the picture plus sigma times noise; the model's has variance 1. */
export function eulerBasics(config: SchedulerSettings, { timesteps, levels }: SigmaSteps) {
  const highest = at(levels, 0);
  const scaleInput = (sample: Float32Array, step: number) => combine([alphaOf(at(levels, step)), sample]);
  const initNoiseSigma = config.timestep_spacing === 'leading' ? Math.sqrt(highest ** 2 + 1) : highest;
  const sigmas = [...levels.subarray(0, -1)];
  return { timesteps, sigmas, initNoiseSigma, addNoise: addNoiseBySigma(sigmas), scaleInput };
}

/** What the model's output means for a sample that is picture + sigma * noise. */
export function eulerPrediction({ prediction_type }: SchedulerSettings, input: StepInput, sigma: number) {
  const alpha = alphaOf(sigma);
  const seen = { modelOutput: input.modelOutput, sample: combine([alpha, input.sample]) };
  return {
    predictedOriginal: originalOf(prediction_type, seen, alpha, sigma * alpha),
    epsilon: epsilonOf(prediction_type, seen, alpha, sigma * alpha),
  };
}

const alphaOf = (sigma: number): number => 1 / Math.sqrt(sigma ** 2 + 1);
