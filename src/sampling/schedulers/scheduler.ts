import type { FixedFields } from '../../documents/index.ts';
import { SlothfulError } from '../../errors.ts';
import type { PredictionType, SchedulerSettings, TimestepSpacing } from './settings.ts';

/** What one step of a scheduler is given. All arrays have one length; their layout is the caller's. */
export interface StepInput {
  readonly modelOutput: Float32Array;
  readonly sample: Float32Array;
  /** Standard normal noise, where `needsNoise(step)`. */
  readonly noise?: Float32Array | undefined;
  /** The `predictedOriginal` of the step before, where there was one: multistep samplers look back. */
  readonly previousOriginal?: Float32Array | undefined;
}

export interface StepResult {
  readonly sample: Float32Array;
  /** The picture without noise, as the model sees it at this step. */
  readonly predictedOriginal: Float32Array;
}

/** The steps of one run of a sampler. It keeps no state: the same step of the same input gives the same result. */
export interface SamplerRun {
  /** What the model is told at each step: 0..999, fractional for some. */
  readonly timesteps: readonly number[];
  /** The noise level of each step, sqrt((1 - a) / a): what the strides of Slothful Attention go by. */
  readonly sigmas: readonly number[];
  /** What standard normal noise is multiplied by to start from. */
  readonly initNoiseSigma: number;
  needsNoise(step: number): boolean;
  /** A picture with the noise that a sample has before a step; past the last step it has none. */
  addNoise(original: Float32Array, noise: Float32Array, step: number): Float32Array;
  /** The sample as the model takes it at a step; may be the sample itself. */
  scaleInput(sample: Float32Array, step: number): Float32Array;
  /** From the sample of one step to that of the next. */
  step(step: number, input: StepInput): StepResult;
}

/** A sampler: all that the toolkit knows of it. One file declares it, and one line of `registry.ts` adds it. */
export interface Sampler {
  /**
   * The steps of a run.
   *
   * @throws SlothfulError `bad-parameter` for steps out of range
   */
  make(settings: SchedulerSettings, steps: number): SamplerRun;
  /** diffusers' classes that it stands for; with what a user is told where it only comes near. */
  readonly classes: Readonly<Record<string, string | undefined>>;
  /** The spacing of that class where its config does not say. */
  readonly spacing: TimestepSpacing;
  /** It goes by noise levels, which can be spaced as Karras et al. do; others go by timesteps and can clip. */
  readonly hasSigmas?: boolean;
  /** It can add a share of fresh noise at every step. */
  readonly hasEta?: boolean;
  /** Fields of diffusers' config that it alone reads, with the values that are built. */
  readonly fixed?: FixedFields;
}

/**
 * The sum of arrays times factors, summed in float64 and stored in float32.
 *
 * @throws SlothfulError `bad-input` where lengths differ
 */
export function combine(...terms: readonly (readonly [factor: number, values: Float32Array])[]): Float32Array {
  const length = terms[0]?.[1].length ?? 0;
  const odd = terms.find(([, values]) => values.length !== length);
  if (odd) {
    throw new SlothfulError('bad-input', 'scheduler', `expected ${length} values, got ${odd[1].length}`);
  }
  return Float32Array.from({ length }, (_, index) =>
    terms.reduce((sum, [factor, values]) => sum + factor * (values[index] ?? 0), 0),
  );
}

/**
 * The value of a list at a step.
 *
 * @throws SlothfulError `bad-input` where the scheduler has no such step
 */
export function at(values: ArrayLike<number>, step: number): number {
  const value = values[step];
  if (value !== undefined) return value;
  throw new SlothfulError('bad-input', 'scheduler', `no step ${step}: there are ${values.length}`);
}

/** `addNoise` of samplers whose sample is picture + sigma * noise. */
export function addNoiseBySigma(sigmas: readonly number[]): SamplerRun['addNoise'] {
  return (original, noise, step) => {
    const sigma = sigmas[step];
    return sigma === undefined ? original : combine([1, original], [sigma, noise]);
  };
}

/** `addNoise` of samplers whose sample has variance 1 at every noise level. */
export function addNoiseByShares(sigmas: readonly number[]): SamplerRun['addNoise'] {
  return (original, noise, step) => {
    const sigma = sigmas[step];
    if (sigma === undefined) return original;
    const alpha = 1 / Math.sqrt(sigma ** 2 + 1);
    return combine([alpha, original], [sigma * alpha, noise]);
  };
}

/** @throws SlothfulError `bad-input` where a step that needs noise was given none */
export function noiseOf(input: StepInput, step: number): Float32Array {
  if (input.noise) return input.noise;
  throw new SlothfulError('bad-input', 'scheduler', `step ${step} needs noise and got none`);
}

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
