import * as tf from '@tensorflow/tfjs-core';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { clockStep, PARTS } from '../../scripts/bench/clock-step.ts';
import { profileFindings } from '../../scripts/bench/rows/profile.ts';
import { stepProfiles } from '../../scripts/bench/step-profile.ts';
import { SlothfulAttention } from '../../src/kernels/index.ts';
import { useBackend } from '../support/backend.ts';

const test = suite('profile of a step');

/** Two sites: seconds of their parts in the order of PARTS, and what K/V tokens they have of 8 and 4. */
function turn(place: string, times: readonly number[], parts: readonly (readonly number[])[], kv: readonly number[]) {
  const [seconds = 0, clocked = 0, products = 0] = times;
  const values: Record<string, number> = {};
  Object.assign(values, { [`${place}/seconds`]: seconds, [`${place}/clocked`]: clocked });
  values[`${place}/products`] = products;
  for (const [site, tokens] of [8, 4].entries()) {
    for (const [index, part] of PARTS.entries()) values[`${place}/${site}/${part}`] = parts[site]?.[index] ?? 0;
    Object.assign(values, { [`${place}/${site}/tokens`]: tokens, [`${place}/${site}/kv`]: kv[site] ?? 0 });
    values[`${place}/${site}/flops`] = 1e9;
  }
  return values;
}

const SITES = [
  [0.5, 0.5, 1, 1, 1, 0.5],
  [0.5, 0.25, 0.25, 0.25, 0.125, 0.125],
];
const POOLED = [
  [0.5, 0.25, 0.5, 0.5, 0.5, 0.25],
  [0.5, 0.25, 0.25, 0.25, 0.125, 0.125],
];
const report = {
  rss: 0,
  values: {
    ...turn('plain/0', [9, 12, 5], SITES, [8, 4]),
    ...turn('plain/1', [10, 10, 3], SITES, [8, 4]),
    ...turn('t999/0', [6, 8, 3], POOLED, [2, 4]),
    flops: 10e9,
    'product/flops': 4e9,
  },
};

test('is read by turn and site', () => {
  const [first, second, ...more] = stepProfiles(report, 'plain');
  assert.equal([first?.clocked, second?.seconds, second?.products, more.length], [12, 10, 3, 0]);
  assert.equal(
    second?.sites.map(({ tokens, kv, flops }) => [tokens, kv, flops]),
    [
      [8, 8, 1e9],
      [4, 4, 1e9],
    ],
  );
  assert.equal(
    second?.sites.map(({ seconds }) => PARTS.map((part) => seconds[part])),
    SITES,
  );
  assert.equal(stepProfiles(report, 'other'), []);
});

test('shares and bounds are those of the fastest turn with clocks', () => {
  const found = profileFindings('sd15 512', report);
  assert.ok(found.every(({ row, unit, target }) => row === 'profile' && unit === 'x' && target === undefined));
  // Self-attention without the queries: 4 s and 1 s of 10 s (and of 12 s) plain, 2 s and 1 s of 8 s patched. A quarter
  // of the first site's K/V tokens and all of the second's: 4 / 4 + 1 s.
  assert.equal(
    found.map(({ what, min, median }) => [what, min, median]),
    [
      ['sd15 512: t = 999 / plain', 6 / 9, 6 / 9],
      ['sd15 512: plain, self-attention / step', 5 / 10, (5 / 10 + 5 / 12) / 2],
      ['sd15 512: t = 999, self-attention / step', 3 / 8, 3 / 8],
      ['sd15 512: self-attention for nothing / plain', 5 / 10, (5 / 10 + 7 / 12) / 2],
      ['sd15 512: self-attention by its K/V tokens / plain', 7 / 10, (7 / 10 + 9 / 12) / 2],
    ],
  );
});

test('tells the seconds of the parts, and how fast the rest is', () => {
  const [ratio, plain, , nothing, byTokens] = profileFindings('sd15 512', report).map(({ details }) => details);
  assert.equal(ratio, { s: 6, 'against s': 9, 'with clocks s': 8, 'against with clocks s': 10 });
  assert.equal(plain, {
    s: 5,
    'logits s': 1.25,
    'softmax s': 1.25,
    'product with V s': 1.125,
    'projections of K and V s': 0.75,
    'pooling and copies s': 0.625,
    'rest s': 5,
  });
  // The queries' projections are products of the rest: 3 + 1 s for the 10 - 2 GFLOP that are not self-attention.
  assert.equal(nothing, {
    'rest s': 5,
    'products and convolutions s': 4,
    GFLOP: 8,
    'GFLOPS of products and convolutions': 2,
    'GFLOPS of a large product': 4,
  });
  assert.equal(byTokens, { 'self-attention s': 2, 'K/V tokens': 6, of: 12 });
});

test('says nothing of FLOPs that are not known, and nothing at all where nothing was measured', () => {
  const { flops: _, ...values } = report.values;
  const nothing = profileFindings('a', { rss: 0, values })[3];
  assert.equal(nothing?.details, { 'rest s': 5, 'products and convolutions s': 4 });
  assert.equal(profileFindings('a', { rss: 0, values: {} }), []);
});

const TOKENS = 6;
const CHANNELS = 8;

/** A self-attention in the second row of a control table, after a product that is not of it. */
function step(layer: SlothfulAttention): number[] {
  return tf.tidy(() => {
    const eye = tf.eye(CHANNELS);
    const hidden: tf.Tensor2D = tf.reshape(tf.range(0, TOKENS * CHANNELS), [TOKENS, CHANNELS]);
    const output = layer.apply([tf.reshape(tf.matMul(hidden, eye), [1, TOKENS, CHANNELS]), eye, eye, eye]);
    return output instanceof tf.Tensor ? [...output.dataSync()] : [];
  });
}

test('a clocked step gives the same, and what its self-attentions did', async () => {
  await useBackend('cpu');
  const layer = new SlothfulAttention({ heads: 2, site: 1 });
  const { result, sites, products } = clockStep(() => step(layer));
  assert.equal(result, step(layer));
  // Keys and values 2 x 2 x 6 x 8 x 8, logits and the product with the values 2 x 2 x 6 x 6 x 8.
  assert.is(sites[1]?.flops, 2688);
  assert.ok(PARTS.every((part) => (sites[1]?.seconds[part] ?? 0) > 0) && products > 0);
});

test('clocks are taken back, after an error too', async () => {
  await useBackend('cpu');
  const kernel = () => tf.getKernel('BatchMatMul', 'cpu').kernelFunc;
  const before = [kernel(), SlothfulAttention.prototype.call];
  const seen = clockStep(() => [kernel(), SlothfulAttention.prototype.call]).result;
  assert.ok(before.every((own, index) => own !== seen[index]));
  assert.throws(
    () =>
      clockStep(() => {
        throw new Error('a step failed');
      }),
    'a step failed',
  );
  assert.ok([kernel(), SlothfulAttention.prototype.call].every((own, index) => own === before[index]));
});

test.run();
