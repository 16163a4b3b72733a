import { mersenneTwister } from './mersenne-twister.ts';

/** A generator of another program: each call goes on where the one before it ended. */
export interface NormalGenerator {
  /** The next `count` standard normal values. */
  normal(count: number): Float32Array;
}

/** From how many values on torch fills a tensor by blocks; it draws fewer one by one. */
const BLOCK = 16;
const HALF = BLOCK / 2;
const { fround } = Math;
const TWO_PI = fround(2 * Math.PI);

/**
 * `torch.randn` of a CPU generator, draw after draw. Words are torch's; values agree to about its last bit, which torch
 * itself has differently from CPU to CPU (its vectorized logarithm, sine and cosine are approximations).
 * Source: normal_fill and normal_distribution in PyTorch's DistributionTemplates.h and DistributionsHelper.h.
 *
 * @param seed its low 32 bits count
 */
export function torchNoise(seed: bigint): NormalGenerator {
  const word = mersenneTwister(seed);
  const single = oneByOne(word);
  return { normal: (count) => (count >= BLOCK ? byBlocks(word, count) : Float32Array.from({ length: count }, single)) };
}

/** All uniform values first, then each block of 16 in place; a rest is the last 16 values, all of them drawn anew. */
function byBlocks(word: () => number, count: number): Float32Array {
  const values = new Float32Array(count);
  fillUniform(word, values, 0);
  for (let start = 0; start + BLOCK <= count; start += BLOCK) makeNormal(values, start);
  if (count % BLOCK !== 0) {
    fillUniform(word, values, count - BLOCK);
    makeNormal(values, count - BLOCK);
  }
  return values;
}

function fillUniform(word: () => number, values: Float32Array, start: number): void {
  for (let index = start; index < values.length; index++) values[index] = (word() & 0xffffff) / 2 ** 24;
}

/**
 * Box and Muller's pairs of one block: value j is made with value j + 8. Each intermediate is rounded to single precision
 * as torch's is: an angle in doubles would move values by 1e-6.
 */
function makeNormal(values: Float32Array, start: number): void {
  for (let index = start; index < start + HALF; index++) {
    const radius = fround(Math.sqrt(fround(-2 * fround(Math.log(1 - (values[index] ?? 0))))));
    const angle = fround(TWO_PI * (values[index + HALF] ?? 0));
    values[index] = radius * fround(Math.cos(angle));
    values[index + HALF] = radius * fround(Math.sin(angle));
  }
}

/** In double precision, by pairs: a second value waits for the next call, whichever draw that is of. */
function oneByOne(word: () => number): () => number {
  const uniform = () => (word() & 0x1fffff) / 2 ** 21 + word() / 2 ** 53;
  let waiting: number | undefined;
  return () => {
    if (waiting !== undefined) {
      const value = waiting;
      waiting = undefined;
      return value;
    }
    const angle = 2 * Math.PI * uniform();
    const radius = Math.sqrt(-2 * Math.log1p(-uniform()));
    waiting = radius * Math.sin(angle);
    return radius * Math.cos(angle);
  };
}
