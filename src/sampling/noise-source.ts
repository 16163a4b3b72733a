import { SlothfulError } from '../errors.ts';
import { batchNoise, checkSeed } from './noise.ts';
import { checkFinite } from './values.ts';

/** Noise of the caller's own, [batch, h, w, C] each, standard normal. */
export interface GivenNoise {
  /** The start, before the scheduler scales it. */
  readonly initial: Float32Array;
  /** For samplers that need it at every step. */
  readonly step?: ((index: number) => Float32Array) | undefined;
}

/** Where a run takes its noise from. */
export interface NoiseSource {
  initial(): Float32Array;
  step(index: number): Float32Array;
}

/**
 * Noise of a seed, image i of the batch that of seed + i; or the caller's own.
 *
 * @param size values of one image
 * @throws SlothfulError `bad-parameter` for a seed that is none
 */
export function noiseSource(size: number, batch: number, seed: number, given: GivenNoise | undefined): NoiseSource {
  if (given) return checkedNoise(given, size * batch);
  checkSeed(seed + batch - 1);
  return {
    initial: () => batchNoise(size, batch, seed, 'initial'),
    step: (index) => batchNoise(size, batch, seed, 'step', index),
  };
}

function checkedNoise(given: GivenNoise, length: number): NoiseSource {
  return {
    initial: () => checked(given.initial, length, 'noise.initial'),
    step: (index) => {
      const place = `noise.step(${index})`;
      if (given.step) return checked(given.step(index), length, place);
      throw new SlothfulError('bad-input', place, 'the sampler needs noise at this step', 'give noise.step, or a seed');
    },
  };
}

function checked(noise: Float32Array, length: number, place: string): Float32Array {
  checkFinite(noise, place);
  if (noise.length === length) return noise;
  throw new SlothfulError('bad-input', place, `has ${noise.length} values, and the latents have ${length}`);
}
