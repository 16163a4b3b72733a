import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { brownianNoise } from '../../src/sampling/noise/brownian-tree.ts';
import { cudaNoise } from '../../src/sampling/noise/cuda-noise.ts';
import { mersenneTwister } from '../../src/sampling/noise/mersenne-twister.ts';
import { parseSeed, seedText } from '../../src/sampling/noise/seed.ts';
import { seedSequenceWord } from '../../src/sampling/noise/seed-sequence.ts';
import {
  a1111StartNoise,
  comfyuiStartNoise,
  comfyuiStepNoise,
  type LatentShape,
} from '../../src/sampling/noise/start-noise.ts';
import { type NormalGenerator, torchNoise } from '../../src/sampling/noise/torch-noise.ts';
import { failsWith } from '../support/errors.ts';
import { fixturePath, readJson } from '../support/fixtures.ts';
import { largestDifference } from '../support/numbers.ts';
import { readSafetensors } from '../support/safetensors.ts';

const test = suite("other programs' noise");

/** One case of ComfyUI's goldens: the whole tensor, or its ends and what it sums up to. */
interface NoiseCase {
  name: string;
  kind: 'start' | 'steps' | 'philox' | 'brownian';
  seed: string;
  shape: number[];
  noise_inds?: number[];
  draws?: number;
  queries?: [sigma: number, next: number][];
  sigma_min?: number;
  sigma_max?: number;
  count: number;
  sum: number;
  sum_squares: number;
  all?: string;
  first?: string;
  last?: string;
}

const { noise: CASES } = readJson<{ noise: NoiseCase[] }>('comfyui/cases.json');
const TENSORS = readSafetensors(fixturePath('comfyui/noise.safetensors'));

/**
 * The last bit of values from 2 to 4: torch's own logarithm, sine and cosine are approximations. Philox has none of them:
 * A1111 computes it in double precision, as it is done here.
 */
const LAST_BIT = 2.4e-7;
const TOLERANCES = { start: LAST_BIT, steps: LAST_BIT, philox: 0, brownian: LAST_BIT } as const;

const MAKERS: Record<NoiseCase['kind'], (each: NoiseCase) => Float32Array> = {
  start: ({ seed, shape, noise_inds }) => comfyuiStartNoise(BigInt(seed), latentShape(shape), noise_inds),
  // The seed of these cases is the run's, and not the generator's.
  steps: (each) => drawn(comfyuiStepNoise(BigInt(each.seed), 'cpu'), each),
  philox: (each) => drawn(cudaNoise(BigInt(each.seed)), each),
  brownian: ({ seed, shape, sigma_min = 0, sigma_max = 0, queries = [] }) => {
    const noise = brownianNoise({
      seed: BigInt(seed),
      count: product(shape),
      sigmaMin: sigma_min,
      sigmaMax: sigma_max,
    });
    return joined(queries.map(([sigma, next]) => noise(sigma, next)));
  },
};

function latentShape([batch = 0, channels = 0, height = 0, width = 0]: number[]): LatentShape {
  return [batch, channels, height, width];
}

function drawn(generator: NormalGenerator, { shape, draws = 0 }: NoiseCase): Float32Array {
  return joined(Array.from({ length: draws }, () => generator.normal(product(shape))));
}

function product(shape: readonly number[]): number {
  return shape.reduce((size, length) => size * length, 1);
}

function joined(parts: readonly Float32Array[]): Float32Array {
  return Float32Array.from(parts.flatMap((part) => [...part]));
}

function sumOf(values: Float32Array, term: (value: number) => number): number {
  return values.reduce((sum, value) => sum + term(value), 0);
}

test('there are cases of every kind', () => {
  assert.equal([...new Set(CASES.map(({ kind }) => kind))].sort(), Object.keys(MAKERS).sort());
});

for (const each of CASES) {
  test(`${each.name}: ${each.kind} of seed ${each.seed}, ${each.shape.join(' x ')}`, () => {
    const values = MAKERS[each.kind](each);
    assert.is(values.length, each.count);
    const parts = { all: values, first: values.subarray(0, 32), last: values.subarray(-32) };
    let compared = 0;
    for (const part of ['all', 'first', 'last'] as const) {
      const expected = TENSORS.get(each[part] ?? '')?.data;
      if (!expected) continue;
      const difference = largestDifference(parts[part], expected);
      assert.ok(difference <= TOLERANCES[each.kind], `${part} differs by ${difference}`);
      compared += expected.length;
    }
    assert.ok(compared === each.count || compared === 64, `${compared} values were compared`);
    const [sum, squares] = [sumOf(values, (value) => value), sumOf(values, (value) => value ** 2)];
    assert.ok(Math.abs(sum - each.sum) < 1e-7 * each.count, `sum ${sum}, not ${each.sum}`);
    assert.ok(Math.abs(squares - each.sum_squares) < 1e-7 * each.count, `squares ${squares}, not ${each.sum_squares}`);
  });
}

/** Of NumPy's RandomState: the first three words, and the 2000th. */
for (const [seed, first, last] of [
  [0n, [2357136044, 2546248239, 3071714933], 3856691381],
  [5489n, [3499211612, 581869302, 3890346734], 3949147603],
  [2n ** 32n - 1n, [419326371, 479346978, 3918654476], 1762272365],
  [2n ** 40n + 5489n, [3499211612, 581869302, 3890346734], 3949147603],
] as const) {
  test(`the Mersenne Twister of ${seed}`, () => {
    const word = mersenneTwister(seed);
    const words = Array.from({ length: 2000 }, word);
    assert.equal(words.slice(0, 3), first);
    assert.is(words.at(-1), last);
  });
}

/** Of NumPy's SeedSequence with a pool of 24. */
for (const [entropy, spawnKey, word] of [
  [0n, [], 4025752534],
  [2n ** 32n, [], 434701594],
  [0n, [0, 0], 245430115],
  [42n, [5, 3], 3084123560],
  [2n ** 64n - 1n, [2 ** 24 - 1, 24], 3827665719],
  [2n ** 53n + 1n, [2 ** 32 + 7, 33], 2294812830],
] as const) {
  test(`the seed sequence of ${entropy}, [${spawnKey.join(', ')}]`, () => {
    assert.is(seedSequenceWord(entropy, spawnKey), word);
  });
}

test('a value of a pair waits for the next small draw, and blocks of 16 leave it waiting', () => {
  const whole = torchNoise(7n).normal(4);
  const split = torchNoise(7n);
  assert.equal([...split.normal(1), ...split.normal(0), ...split.normal(3)], [...whole]);
  const between = torchNoise(7n);
  between.normal(1);
  between.normal(16);
  assert.is(between.normal(1)[0], whole[1]);
});

test('a batch of ComfyUI is one draw, and a batch index counts the pictures that were drawn before', () => {
  const batch = comfyuiStartNoise(99n, [3, 4, 8, 8]);
  const second = comfyuiStartNoise(99n, [1, 4, 8, 8], [1]);
  assert.equal(second, batch.slice(256, 512), 'with whole blocks both are the same words');
  assert.not.equal(comfyuiStartNoise(99n, [1, 4, 5, 7], [1]), comfyuiStartNoise(99n, [2, 4, 5, 7]).slice(140));
});

test('a batch of A1111 is one generator a picture, and its seeds count on', async () => {
  for (const generatorOf of [torchNoise, cudaNoise]) {
    const batch = a1111StartNoise(2n ** 53n, [2, 4, 5, 7], generatorOf);
    assert.equal(batch.slice(140), generatorOf(2n ** 53n + 1n).normal(140));
  }
  const last = 2n ** 64n - 1n;
  assert.equal(a1111StartNoise(last, [1, 1, 4, 4], torchNoise), torchNoise(last).normal(16));
  await failsWith('bad-parameter', /^seed: .* take 18446744073709551614 or less/, () =>
    a1111StartNoise(last, [2, 1, 4, 4], torchNoise),
  );
});

test('the noise of the steps is of seed + 1 on the CPU, and of the seed before 2026 and on CUDA', async () => {
  const seed = 5n;
  assert.equal(comfyuiStepNoise(seed, 'cpu').normal(20), torchNoise(6n).normal(20));
  assert.equal(comfyuiStepNoise(seed, 'cpu_before_2026').normal(20), comfyuiStartNoise(seed, [1, 1, 4, 5]));
  assert.equal(comfyuiStepNoise(seed, 'cuda').normal(20), cudaNoise(seed).normal(20));
  const last = 2n ** 64n - 1n;
  await failsWith('bad-parameter', /^seed: 18446744073709551615 has no seed 1 after it/, () =>
    comfyuiStepNoise(last, 'cpu'),
  );
  assert.is(comfyuiStepNoise(last, 'cuda').normal(20).length, 20);
});

for (const batchIndex of [[0], [0, 1, 2], [0, -1], [0, 0.5], [0, Number.NaN]]) {
  test(`batch index [${batchIndex.join(', ')}] is none of two pictures`, () =>
    failsWith('bad-parameter', /^batch_index: must be 2 whole numbers/, () =>
      comfyuiStartNoise(1n, [2, 1, 4, 4], batchIndex),
    ));
}

const MOTION = { seed: 3n, count: 20, sigmaMin: Math.fround(0.03), sigmaMax: Math.fround(14.6) };

/** What the motion does from sigma to next. */
function motion(noise: (sigma: number, next: number) => Float32Array, sigma: number, next: number): Float32Array {
  const root = Math.sqrt(Math.abs(sigma - next));
  return noise(sigma, next).map((value) => value * root);
}

test('a Brownian motion does not depend on what was asked before, nor on what is remembered', () => {
  const sigmas = Array.from({ length: 40 }, (_, index) => Math.fround(14.6 * (1 - ((index * 17) % 40) / 40.1)));
  const noise = brownianNoise(MOTION);
  for (const [index, sigma] of sigmas.entries()) {
    const next = sigmas[index + 1] ?? MOTION.sigmaMin;
    assert.equal(noise(sigma, next), brownianNoise(MOTION)(sigma, next));
  }
});

test('parts of a Brownian motion add up, and back is the opposite', () => {
  const noise = brownianNoise(MOTION);
  const [first, second, whole] = [motion(noise, 9, 4), motion(noise, 4, 1), motion(noise, 9, 1)];
  assert.ok(
    largestDifference(
      first.map((value, index) => value + (second[index] ?? 0)),
      whole,
    ) < 2e-6,
  );
  assert.equal(
    noise(4, 9),
    noise(9, 4).map((value) => -value),
  );
});

test('times are rounded to six decimals, halves to even as in Python', () => {
  const noise = brownianNoise({ ...MOTION, sigmaMin: 0.001 });
  for (const [half, even] of [
    [1 / 128, 0.007812],
    [3 / 128, 0.023438],
  ] as const) {
    assert.ok(largestDifference(motion(noise, 1, half), motion(noise, 1, even)) < 1e-6);
  }
  assert.ok(
    largestDifference(motion(noise, 1, 1 / 128), motion(noise, 1, 0.007813)) > 1e-4,
    'a millionth would be seen',
  );
});

for (const [sigmaMin, sigmaMax] of [
  [14, 1],
  [1, 1],
  [Number.NaN, 1],
  [1, Number.POSITIVE_INFINITY],
] as const) {
  test(`${sigmaMin} to ${sigmaMax} is no range of a Brownian motion`, () =>
    failsWith('bad-parameter', /^sigmas: must run from the smallest to the largest/, () =>
      brownianNoise({ ...MOTION, sigmaMin, sigmaMax }),
    ));
}

test('a step of no length has no noise', () =>
  failsWith('bad-parameter', /^sigmas: must differ, got 2 and 2/, () => brownianNoise(MOTION)(2, 2)));

for (const [value, seed] of [
  [0, 0n],
  [2 ** 53 - 1, 2n ** 53n - 1n],
  [2n ** 64n - 1n, 2n ** 64n - 1n],
  ['18446744073709551615', 2n ** 64n - 1n],
  ['9007199254740993', 2n ** 53n + 1n],
  ['007', 7n],
] as const) {
  test(`${typeof value} ${value} is a seed`, () => {
    assert.is(parseSeed(value, 'seed'), seed);
    assert.is(parseSeed(seedText(seed), 'seed'), seed);
  });
}

for (const value of [-1, 0.5, Number.NaN, Number.POSITIVE_INFINITY, -1n, 2n ** 64n, '', '-1', '1e3', '0x10', ' 1']) {
  test(`${typeof value} ${JSON.stringify(String(value))} is no seed`, () =>
    failsWith('bad-parameter', /^node 3, seed: must be a whole number from 0 to 18446744073709551615, got/, () =>
      parseSeed(value, 'node 3, seed'),
    ));
}
for (const value of ['18446744073709551616', '9'.repeat(400), true, null, undefined, [1], {}]) {
  test(`${String(value).slice(0, 20)} of type ${typeof value} is no seed`, () =>
    failsWith('bad-parameter', /^seed: must be a whole number/, () => parseSeed(value, 'seed')));
}
test('a number whose last digits may be lost is no seed', () =>
  failsWith('bad-parameter', /^seed: 9007199254740992 is above 2\^53 - 1, .* give it as text/, () =>
    parseSeed(2 ** 53, 'seed'),
  ));

test.run();
