import type { PredictionType } from './config.ts';
import { combine, type StepInput } from './scheduler.ts';

/**
 * The picture that a model's output means.
 *
 * @param alpha share of the picture in the sample that the model saw, sqrt(alphaCumprod)
 * @param sigma share of the noise in it, sqrt(1 - alphaCumprod)
 */
export function originalOf(prediction: PredictionType, input: StepInput, alpha: number, sigma: number): Float32Array {
  const { sample, modelOutput } = input;
  if (prediction === 'v_prediction') return combine([alpha, sample], [-sigma, modelOutput]);
  return combine([1 / alpha, sample], [-sigma / alpha, modelOutput]);
}

/** The noise that a model's output means; `alpha` and `sigma` as for the picture. */
export function epsilonOf(prediction: PredictionType, input: StepInput, alpha: number, sigma: number): Float32Array {
  if (prediction === 'epsilon') return input.modelOutput;
  return combine([alpha, input.modelOutput], [sigma, input.sample]);
}
