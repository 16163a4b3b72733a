import { SlothfulError } from '../../errors.ts';
import { seedSequenceWord } from './seed-sequence.ts';
import { type NormalGenerator, torchNoise } from './torch-noise.ts';

/** What a Brownian motion is of. */
export interface BrownianNoiseOptions {
  /** 0 to 2^64 - 1. */
  readonly seed: bigint;
  /** How many values x has, all pictures of the batch together. */
  readonly count: number;
  /** The smallest sigma of the run above 0, in single precision: one last bit of it moves the noise by 1e-3. */
  readonly sigmaMin: number;
  /** The largest sigma of the run, in single precision. */
  readonly sigmaMax: number;
  /** Default: PyTorch's on the CPU; ComfyUI's samplers in `_gpu` take that of the card. */
  readonly generatorOf?: ((seed: bigint) => NormalGenerator) | undefined;
}

/** An interval of the tree: number `path` from the left, from 0, of the 2^depth that `depth` halvings make. */
interface Interval {
  readonly depth: number;
  readonly path: number;
  readonly from: number;
  readonly to: number;
  /** What the motion does in it, `count` values. */
  readonly increment: Float32Array;
}

/** Two descents of 24 halvings each, from 15 down to 1e-6, and some: neighbouring steps share an end. */
const KEPT_INTERVALS = 64;
const { fround } = Math;

/**
 * The noise of samplers that solve a stochastic equation: increments of one Brownian motion over sigma, over the root of
 * the time between. So what a step draws does not depend on how many steps there are, or on the order of the questions.
 * Source: BrownianTreeNoiseSampler(cpu=True) of k-diffusion and ComfyUI, BrownianTree of torchsde.
 *
 * The increments of at most 64 intervals are kept, 256 x count bytes.
 *
 * @returns the noise of a step from sigma to next, both in single precision and within the range (or cut to it)
 * @throws SlothfulError `bad-parameter` for a range that is none; from the function, for a step that is none
 */
export function brownianNoise(options: BrownianNoiseOptions): (sigma: number, next: number) => Float32Array {
  const { count } = options;
  const [from, to] = [toMicros(options.sigmaMin), toMicros(options.sigmaMax)];
  if (!(from < to && Number.isFinite(to))) {
    const problem = `must run from the smallest to the largest, got ${options.sigmaMin} to ${options.sigmaMax}`;
    throw new SlothfulError('bad-parameter', 'sigmas', problem);
  }
  const top: Interval = { depth: 0, path: 0, from, to, increment: wholeIncrement(options) };
  const leftOf = recent(KEPT_INTERVALS, (interval: Interval) => leftChild(interval, options));
  return (sigma, next) => {
    const [low, high] = [Math.min(sigma, next), Math.max(sigma, next)];
    if (!(low < high)) throw new SlothfulError('bad-parameter', 'sigmas', `must differ, got ${sigma} and ${next}`);
    const sum = new Float32Array(count);
    addIncrements(top, Math.max(toMicros(low), from), Math.min(toMicros(high), to), leftOf, sum);
    const root = fround(Math.sqrt(fround(high - low)));
    return sum.map((value) => value / (sigma > next ? -root : root));
  };
}

/** By the times as they were given: torchsde rounds them only later. */
function wholeIncrement(options: BrownianNoiseOptions): Float32Array {
  const spread = fround(Math.sqrt(options.sigmaMax - options.sigmaMin));
  return seededNormal(options, []).map((value) => value * spread);
}

function seededNormal(
  { seed, count, generatorOf = torchNoise }: BrownianNoiseOptions,
  spawnKey: readonly number[],
): Float32Array {
  return generatorOf(BigInt(seedSequenceWord(seed, spawnKey))).normal(count);
}

/**
 * To 6 decimals as Python's `round` does: of the exact value, and half to even, where `toFixed` takes the larger one.
 * Halves that a double can hold are odd multiples of 1/128.
 */
function toMicros(value: number): number {
  if ((value * 128) % 2 !== 1) return Number(value.toFixed(6));
  const below = Math.floor(value * 1e6);
  return (below % 2 === 0 ? below : below + 1) / 1e6;
}

/** Adds the motion between two edges of the tree: that of the largest intervals which make it up, from left to right. */
function addIncrements(
  interval: Interval,
  low: number,
  high: number,
  leftOf: (interval: Interval) => Interval,
  sum: Float32Array,
): void {
  if (low >= high) return;
  if (low <= interval.from && high >= interval.to) {
    for (let index = 0; index < sum.length; index++) sum[index] = (sum[index] ?? 0) + (interval.increment[index] ?? 0);
    return;
  }
  const left = leftOf(interval);
  if (low < left.to) addIncrements(left, low, Math.min(high, left.to), leftOf, sum);
  if (high > left.to) addIncrements(rightChild(interval, left), Math.max(low, left.to), high, leftOf, sum);
}

/** The Brownian bridge: given what it does in the whole, the motion is normal at the middle. */
function leftChild({ depth, path, from, to, increment }: Interval, options: BrownianNoiseOptions): Interval {
  const middle = toMicros((from + to) / 2);
  const noise = seededNormal(options, [path, depth]);
  const [left, inverse] = [fround(middle - from), fround(1 / (to - from))];
  const spread = fround(Math.sqrt((middle - from) * (to - middle) * (1 / (to - from))));
  // Rounded as torch's tensors are, operation by operation.
  for (let index = 0; index < noise.length; index++) {
    const mean = fround(fround(left * (increment[index] ?? 0)) * inverse);
    noise[index] = mean + fround(spread * (noise[index] ?? 0));
  }
  return { depth: depth + 1, path: 2 * path, from, to: middle, increment: noise };
}

function rightChild({ to, increment }: Interval, left: Interval): Interval {
  const rest = increment.map((value, index) => value - (left.increment[index] ?? 0));
  return { depth: left.depth, path: left.path + 1, from: left.to, to, increment: rest };
}

/** Remembers what was made of the intervals last asked for. */
function recent(limit: number, make: (interval: Interval) => Interval): (interval: Interval) => Interval {
  const kept = new Map<number, Interval>();
  return (interval) => {
    const key = 2 ** interval.depth + interval.path;
    const found = kept.get(key) ?? make(interval);
    // A map is in the order of insertion: what was asked for last goes to its end.
    kept.delete(key);
    kept.set(key, found);
    const oldest = kept.keys().next();
    if (kept.size > limit && !oldest.done) kept.delete(oldest.value);
    return found;
  };
}
