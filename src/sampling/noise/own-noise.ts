import { SlothfulError } from '../../errors.ts';
import { gaussianPair, philox } from './random.ts';

/** What noise is for; each has a stream of its own. The numbers are part of what a seed means: never change them. */
const PURPOSES = { initial: 0, step: 1, encode: 2, encodeMasked: 3 } as const;
export type NoisePurpose = keyof typeof PURPOSES;

const WORD = 2 ** 32;

/**
 * Standard normal noise: value i depends on seed, purpose, step and i alone, not on what was drawn before, on the
 * backend or on the engine.
 *
 * Values 4 b .. 4 b + 3 are made of Philox4x32-10 with key (seed's low word, seed's high word) and counter
 * (b, step, purpose, 0): words w0..w3 give two Box-Muller pairs, of ((w0 + 1) / 2^32, w1 / 2^32) and of w2, w3.
 *
 * @param length how many values
 * @param seed an integer from 0 to 2^53 - 1
 * @param step which step the noise is for; 0 for `initial`
 * @throws SlothfulError `bad-parameter` for an invalid seed
 */
export function normalNoise(length: number, seed: number, purpose: NoisePurpose = 'initial', step = 0): Float32Array {
  const key = [checkSeed(seed) % WORD, Math.floor(seed / WORD)] as const;
  const noise = new Float32Array(length);
  for (let block = 0; block * 4 < length; block++) {
    const [w0, w1, w2, w3] = philox([block, step, PURPOSES[purpose], 0], key);
    const values = [...gaussianPair((w0 + 1) / WORD, w1 / WORD), ...gaussianPair((w2 + 1) / WORD, w3 / WORD)];
    noise.set(values.slice(0, length - block * 4), block * 4);
  }
  return noise;
}

/**
 * The noise of a batch: image i is that of seed + i by itself, so batch size changes no picture.
 *
 * @param length how many values an image
 * @throws SlothfulError `bad-parameter` for an invalid seed
 */
export function batchNoise(length: number, batch: number, seed: number, purpose: NoisePurpose, step = 0): Float32Array {
  const noise = new Float32Array(length * batch);
  for (let image = 0; image < batch; image++)
    noise.set(normalNoise(length, seed + image, purpose, step), length * image);
  return noise;
}

/** @throws SlothfulError `bad-parameter` where it is not an integer from 0 to 2^53 - 1 */
export function checkSeed(seed: number): number {
  if (Number.isSafeInteger(seed) && seed >= 0) return seed;
  const limit = Number.MAX_SAFE_INTEGER;
  throw new SlothfulError('bad-parameter', 'seed', `must be an integer from 0 to ${limit}, got ${seed}`);
}

/**
 * The seed of our own noise, of which image i of a batch takes seed + i.
 *
 * @throws SlothfulError `bad-parameter` where one of them is past 2^53 - 1
 */
export function ownNoiseSeed(seed: bigint, batch: number): number {
  checkSeed(Number(seed) + batch - 1);
  return Number(seed);
}

/** Noise of the caller's own, [batch, h, w, C] each, standard normal. */
export interface GivenNoise {
  /** The start, before the scheduler scales it. */
  readonly initial: Float32Array;
  /** For samplers that need it at every step. */
  readonly step?: ((index: number) => Float32Array) | undefined;
}
