import * as tf from '@tensorflow/tfjs-core';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { attend } from '../../src/kernels/index.ts';
import { type LogitsPlan, logitsLimit, planLogits, type Strategy, setLogitsLimit } from '../../src/kernels/logits.ts';
import { TEST_BACKENDS, useBackend } from '../support/backend.ts';
import { largestDifference, pseudoRandom } from '../support/numbers.ts';
import { type AttentionSize, plainAttention } from '../support/plain-attention.ts';

const test = suite('attend');
const STRATEGIES: readonly Strategy[] = ['batched', 'per-head'];

const SIZES: readonly AttentionSize[] = [
  { batch: 1, heads: 1, queries: 1, keys: 1, width: 4 },
  { batch: 2, heads: 3, queries: 35, keys: 6, width: 5 },
  { batch: 2, heads: 8, queries: 20, keys: 77, width: 8 },
  { batch: 1, heads: 2, queries: 150, keys: 150, width: 40 },
];

function operands({ batch, heads, queries, keys, width }: AttentionSize): [Float32Array, Float32Array, Float32Array] {
  const channels = heads * width;
  // Times 3, so that the softmax is far from flat.
  const q = pseudoRandom(batch * queries * channels, 1).map((value) => value * 3);
  return [q, pseudoRandom(batch * keys * channels, 2), pseudoRandom(batch * keys * channels, 3)];
}

/** Of every query its own: most keys are far from it. */
function maskOf({ queries, keys }: AttentionSize): Float32Array {
  return pseudoRandom(queries * keys, 4).map((value) => value * 10);
}

function run(size: AttentionSize, scale: number, plan?: LogitsPlan, given?: Float32Array): number[] {
  const { batch, heads, queries, keys } = size;
  const channels = heads * size.width;
  const [q, k, v] = operands(size);
  return tf.tidy(() => {
    const query = tf.tensor3d(q, [batch, queries, channels]);
    const key = tf.tensor3d(k, [batch, keys, channels]);
    const value = tf.tensor3d(v, [batch, keys, channels]);
    const mask = given && tf.tensor2d(given, [queries, keys]);
    const out = attend({ query, key, value, heads, scale, mask }, plan);
    assert.equal(out.shape, [batch, queries, channels]);
    return [...out.dataSync()];
  });
}

for (const backend of TEST_BACKENDS) {
  for (const strategy of STRATEGIES) {
    for (const size of SIZES) {
      test(`${backend}, ${strategy}: ${JSON.stringify(size)}`, async () => {
        await useBackend(backend);
        const before = tf.memory().numTensors;
        const plan = (limit: number) => planLogits(size.batch * size.heads, size.queries, size.keys, strategy, limit);
        const whole = run(size, 0.3, plan(1e9));
        const difference = largestDifference(whole, plainAttention(...operands(size), size, 0.3));
        assert.ok(difference < 2e-6, `off by ${difference}`);
        const limits = [size.keys * 4, size.keys * 4 * 7, size.keys * 4 * size.queries, 1];
        for (const limit of limits) {
          const sliced = largestDifference(run(size, 0.3, plan(limit)), whole);
          assert.ok(sliced < 1e-6, `under ${limit} bytes off by ${sliced}`);
        }
        const wanted = plainAttention(...operands(size), size, 0.3, maskOf(size));
        // The largest would only take longer.
        for (const limit of size.queries < 100 ? [1e9, ...limits] : []) {
          const masked = largestDifference(run(size, 0.3, plan(limit), maskOf(size)), wanted);
          assert.ok(masked < 2e-6, `masked, under ${limit} bytes off by ${masked}`);
        }
        assert.is(tf.memory().numTensors, before, 'tensors leaked');
      });
    }
  }

  test(`${backend}: its own plan, and a scale of 1`, async () => {
    await useBackend(backend);
    const size: AttentionSize = { batch: 2, heads: 3, queries: 35, keys: 6, width: 5 };
    assert.ok(largestDifference(run(size, 1), plainAttention(...operands(size), size, 1)) < 2e-6);
  });
}

for (const strategy of STRATEGIES) {
  for (const limit of [1e9, 4 * 77 * 20 * 8, 4 * 77 * 7, 1]) {
    test(`${strategy}, under ${limit} bytes: every logits tensor is one of the plan's`, async () => {
      await useBackend('cpu');
      const size: AttentionSize = { batch: 2, heads: 8, queries: 20, keys: 77, width: 8 };
      const plan = planLogits(size.batch * size.heads, size.queries, size.keys, strategy, limit);
      const { kernels } = await tf.profile(() => void run(size, 0.3, plan));
      const softmaxes = kernels.filter(({ name }) => name === 'Softmax').map(({ inputShapes }) => inputShapes[0] ?? []);
      const rows = softmaxes.map((shape) => (shape.length === 3 ? shape : [1, ...shape]));
      assert.ok(rows.every(([heads = 0, queries = 0]) => heads <= plan.headsAtOnce && queries <= plan.queriesAtOnce));
      const bytes = rows.map(([heads = 0, queries = 0, keys = 0]) => 4 * heads * queries * keys);
      assert.is(Math.max(...bytes), plan.logitsBytes);
      assert.is(
        bytes.reduce((sum, each) => sum + each, 0),
        4 * 2 * 8 * 20 * 77,
      );
    });
  }
}

test('values may be wider than queries and keys', async () => {
  await useBackend('cpu');
  const query = tf.tensor3d([1, 2], [1, 1, 2]);
  const value = tf.tensor3d([1, 2, 3, 4], [1, 1, 4]);
  const out = tf.tidy(() => [...attend({ query, key: query, value, heads: 2, scale: 1 }).dataSync()]);
  assert.equal(out, [1, 2, 3, 4]);
  tf.dispose([query, value]);
});

test('refuses operands that do not fit', async () => {
  await useBackend('cpu');
  const of = (...shape: [number, number, number]) => tf.ones<tf.Rank.R3>(shape);
  const [a, longer, wider] = [of(1, 4, 6), of(1, 5, 6), of(1, 4, 8)];
  const message = /do not fit each other and [34] heads/;
  assert.throws(() => attend({ query: a, key: a, value: longer, heads: 3, scale: 1 }), message);
  assert.throws(() => attend({ query: a, key: wider, value: wider, heads: 3, scale: 1 }), message);
  assert.throws(() => attend({ query: a, key: a, value: a, heads: 4, scale: 1 }), message);
  const twice = of(2, 4, 6);
  assert.throws(() => attend({ query: twice, key: a, value: a, heads: 3, scale: 1 }), message);
  assert.throws(() => attend({ query: a, key: a, value: twice, heads: 3, scale: 1 }), message);
  // Values of another width are fine, if the heads divide it.
  assert.throws(() => attend({ query: a, key: a, value: wider, heads: 3, scale: 1 }), message);
  for (const shape of [
    [3, 4],
    [4, 3],
  ] as const) {
    const mask = tf.zeros<tf.Rank.R2>([...shape]);
    const masked = () => attend({ query: a, key: a, value: a, heads: 3, scale: 1, mask });
    assert.throws(masked, new RegExp(`mask \\[${shape}\\] do not fit`));
  }
});

const plans: [string, Parameters<typeof planLogits>, Omit<LogitsPlan, 'strategy'>][] = [
  ['all at once', [8, 10, 5, 'batched', 1600], { headsAtOnce: 8, queriesAtOnce: 10, logitsBytes: 1600 }],
  ['even parts', [8, 10, 5, 'batched', 1599], { headsAtOnce: 4, queriesAtOnce: 10, logitsBytes: 800 }],
  ['one head', [8, 10, 5, 'batched', 200], { headsAtOnce: 1, queriesAtOnce: 10, logitsBytes: 200 }],
  ['half a head', [8, 10, 5, 'batched', 199], { headsAtOnce: 1, queriesAtOnce: 5, logitsBytes: 100 }],
  ['the least', [8, 10, 5, 'batched', 1], { headsAtOnce: 1, queriesAtOnce: 1, logitsBytes: 20 }],
  ['a head at once', [8, 10, 5, 'per-head', 1600], { headsAtOnce: 1, queriesAtOnce: 10, logitsBytes: 200 }],
  ['part of a head', [8, 10, 5, 'per-head', 199], { headsAtOnce: 1, queriesAtOnce: 5, logitsBytes: 100 }],
];

for (const [what, given, expected] of plans) {
  test(`plan: ${what}`, () => {
    assert.equal(planLogits(...given), { strategy: given[3], ...expected });
  });
}

test('the limit: per backend, set, and set back', async () => {
  const limits: number[] = [];
  for (const backend of TEST_BACKENDS) {
    await useBackend(backend);
    limits.push(logitsLimit() / 2 ** 20);
  }
  assert.equal(limits, [512, 64]);
  setLogitsLimit(1000);
  assert.is(logitsLimit(), 1000);
  setLogitsLimit(undefined);
  assert.is(logitsLimit(), 64 * 2 ** 20);
  for (const wrong of [0, -1, Number.NaN]) assert.throws(() => setLogitsLimit(wrong), /logits limit: must be a number/);
});

/** A backend by the native one's name that computes nothing; its device is what it says. */
class NamedBackend extends tf.KernelBackend {
  constructor(readonly isUsingGpuDevice: unknown) {
    super();
  }

  override dispose(): void {}
}

test('the native backend has a limit for each of its devices', async () => {
  for (const [device, mebibytes] of [
    [true, 1024],
    [false, 16],
    [undefined, 16],
  ] as const) {
    tf.registerBackend('tensorflow', () => new NamedBackend(device));
    try {
      await tf.setBackend('tensorflow');
      assert.is(logitsLimit(), mebibytes * 2 ** 20);
    } finally {
      await useBackend('cpu');
      tf.removeBackend('tensorflow');
    }
  }
});

test.run();
