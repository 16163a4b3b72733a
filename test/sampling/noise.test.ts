import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { batchNoise, checkSeed, normalNoise } from '../../src/sampling/noise/own-noise.ts';
import { gaussianPair, logarithm, philox, type Words } from '../../src/sampling/noise/random.ts';
import { pseudoRandom } from '../support/numbers.ts';

const test = suite('noise');
const ONES = 0xffffffff;

/** Known answers that Random123, the generator's first home, publishes. */
const PHILOX: readonly [counter: Words, key: [number, number], words: Words][] = [
  [
    [0, 0, 0, 0],
    [0, 0],
    [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8],
  ],
  [
    [ONES, ONES, ONES, ONES],
    [ONES, ONES],
    [0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd],
  ],
  [
    [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344],
    [0xa4093822, 0x299f31d0],
    [0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1],
  ],
];

for (const [counter, key, words] of PHILOX) {
  test(`philox of ${counter[0].toString(16)}`, () => assert.equal(philox(counter, key), words));
}

test('logarithm, sine and cosine agree with the engine to 1e-14', () => {
  for (const [index, value] of pseudoRandom(2000).entries()) {
    const [u, v] = [(index + 1) / 2000, (value + 1) / 2];
    assert.ok(Math.abs(logarithm(u) - Math.log(u)) < 1e-15 * Math.max(1, Math.abs(Math.log(u))));
    const [a, b] = gaussianPair(u, v);
    const radius = Math.sqrt(-2 * Math.log(u));
    assert.ok(Math.abs(a - radius * Math.cos(2 * Math.PI * v)) < 1e-14, `cos of ${v}`);
    assert.ok(Math.abs(b - radius * Math.sin(2 * Math.PI * v)) < 1e-14, `sin of ${v}`);
  }
});

test('ends of the uniform range give finite values', () => {
  for (const [u, v] of [
    [2 ** -32, 0],
    [1, 1 - 2 ** -32],
    [1, 0],
    [0.5, 0.125],
    [0.5, 0.875],
  ] as const) {
    assert.ok(gaussianPair(u, v).every(Number.isFinite), `${u} ${v}`);
  }
});

/** Computed apart, in Python, from the definition in normalNoise's docstring. */
test('values are those of the documented definition', () => {
  const expected = [0.006855925699127283, -1.1434822025229145, -0.33363103249022713, -0.8824009680070365];
  assert.equal([...normalNoise(4, 2 ** 53 - 1, 'step', 1)], expected.map(Math.fround));
});

test('moments are those of a normal distribution', () => {
  const noise = normalNoise(200_000, 1234);
  const moment = (power: number) => noise.reduce((sum, value) => sum + value ** power, 0) / noise.length;
  // Within four standard errors.
  for (const [power, expected, spread] of [
    [1, 0, 1],
    [2, 1, 2],
    [3, 0, 15],
    [4, 3, 96],
  ] as const) {
    const off = Math.abs(moment(power) - expected);
    assert.ok(off < 4 * Math.sqrt(spread / noise.length), `moment ${power} is off by ${off}`);
  }
});

/** Blocks of four values are pixels of four channels: no channel may be tinted. */
test('each of the four lanes is normal by itself', () => {
  const noise = normalNoise(200_000, 1);
  for (const lane of [0, 1, 2, 3]) {
    const values = noise.filter((_, index) => index % 4 === lane);
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    const square = values.reduce((sum, value) => sum + value ** 2, 0) / values.length;
    assert.ok(Math.abs(mean) < 4 / Math.sqrt(values.length), `lane ${lane} mean ${mean}`);
    assert.ok(Math.abs(square - 1) < 4 * Math.sqrt(2 / values.length), `lane ${lane} variance ${square}`);
  }
});

test('shares within 1, 2 and 3 sigma', () => {
  const noise = normalNoise(200_000, 99);
  for (const [limit, share] of [
    [1, 0.682689],
    [2, 0.9545],
    [3, 0.9973],
  ] as const) {
    const within = noise.filter((value) => Math.abs(value) < limit).length / noise.length;
    assert.ok(Math.abs(within - share) < 4 * Math.sqrt((share * (1 - share)) / noise.length), `within ${limit}`);
  }
});

/** Streams that must have nothing to do with each other; neighbours in a stream too. */
test('streams are independent', () => {
  const length = 50_000;
  const base = normalNoise(length, 7);
  const others: [string, Float32Array][] = [
    ['seed', normalNoise(length, 8)],
    ['high word of the seed', normalNoise(length, 7 + 2 ** 32)],
    ['purpose', normalNoise(length, 7, 'step')],
    ['step', normalNoise(length, 7, 'initial', 1)],
    ['neighbour', normalNoise(length + 1, 7).subarray(1)],
    ['next pair', normalNoise(length + 2, 7).subarray(2)],
  ];
  for (const [name, other] of others) {
    const correlation = base.reduce((sum, value, index) => sum + value * (other[index] ?? 0), 0) / length;
    assert.ok(Math.abs(correlation) < 4 / Math.sqrt(length), `${name}: ${correlation}`);
  }
});

test('a value does not depend on how many are drawn', () => {
  const long = normalNoise(103, 5, 'step', 3);
  for (const length of [0, 1, 2, 3, 4, 5, 102]) {
    assert.equal(normalNoise(length, 5, 'step', 3), long.subarray(0, length));
  }
});

test('image i of a batch is the picture of seed + i', () => {
  const batch = batchNoise(10, 3, 41, 'step', 2);
  for (const image of [0, 1, 2]) {
    assert.equal(batch.slice(image * 10, (image + 1) * 10), normalNoise(10, 41 + image, 'step', 2));
  }
});

for (const seed of [0, 1, 2 ** 32, Number.MAX_SAFE_INTEGER]) {
  test(`seed ${seed} is one`, () => assert.is(checkSeed(seed), seed));
}
for (const seed of [-1, 0.5, 2 ** 53, Number.NaN, Number.POSITIVE_INFINITY]) {
  test(`seed ${seed} is none`, () => assert.throws(() => normalNoise(4, seed), /seed: must be an integer from 0/));
}

test.run();
