import { SlothfulError } from '../../errors.ts';
import type { SamplerName } from './config.ts';

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
export interface Scheduler {
  readonly type: SamplerName;
  /** What the model is told at each step: 0..999, fractional for some. */
  readonly timesteps: readonly number[];
  /** The noise level of each step, sqrt((1 - a) / a): what the strides of Slothful Attention go by. */
  readonly sigmas: readonly number[];
  /** What standard normal noise is multiplied by to start from. */
  readonly initNoiseSigma: number;
  needsNoise(step: number): boolean;
  /** The sample as the model takes it at a step; may be the sample itself. */
  scaleInput(sample: Float32Array, step: number): Float32Array;
  /** From the sample of one step to that of the next. */
  step(step: number, input: StepInput): StepResult;
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

/** @throws SlothfulError `bad-input` where a step that needs noise was given none */
export function noiseOf(input: StepInput, step: number): Float32Array {
  if (input.noise) return input.noise;
  throw new SlothfulError('bad-input', 'scheduler', `step ${step} needs noise and got none`);
}
