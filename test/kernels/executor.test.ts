import * as tf from '@tensorflow/tfjs-core';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { HiddenForm, OutputForm } from '../../src/attention/index.ts';
import { type ExecutedAttention, recordAttention } from '../../src/kernels/index.ts';
import { type ControlRow, encodeControl, SLOTHFUL, UNTOUCHED } from '../../src/passes/index.ts';
import { TEST_BACKENDS, useBackend } from '../support/backend.ts';
import { largestDifference, pseudoRandom } from '../support/numbers.ts';
import { plainAttention, plainProjection } from '../support/plain-attention.ts';
import { plainPooling } from '../support/plain-pooling.ts';
import { type AttentionModel, loadAttentionModel, type ModelWeight } from './attention-model.ts';

const test = suite('SlothfulAttention in a GraphModel');
const [B, H, W, C, HEADS, WIDTH] = [2, 5, 3, 6, 2, 4];
const [N, INNER] = [H * W, HEADS * WIDTH];
const HIDDEN: Record<HiddenForm, number[]> = { tokens: [B, N, C], flat: [B * N, C], grid: [B, H, W, C] };
const OUTPUT: Record<OutputForm, number[]> = {
  tokens: [B, N, INNER],
  flat: [B * N, INNER],
  grid: [B, H, W, INNER],
  'grid-heads': [B, H, W, HEADS, WIDTH],
  heads: [B, N, HEADS, WIDTH],
};
const HIDDEN_FORMS: readonly HiddenForm[] = ['tokens', 'flat', 'grid'];
const OUTPUT_FORMS: readonly OutputForm[] = ['tokens', 'flat', 'grid', 'heads', 'grid-heads'];

const hidden = pseudoRandom(B * N * C, 5);
const weights = {
  queryWeight: { shape: [C, INNER], values: pseudoRandom(C * INNER, 11) },
  keyWeight: { shape: [C, INNER], values: pseudoRandom(C * INNER, 12) },
  valueWeight: { shape: [C, INNER], values: pseudoRandom(C * INNER, 13) },
};
const biases = {
  queryBias: { shape: [INNER], values: pseudoRandom(INNER, 14) },
  keyBias: { shape: [INNER], values: pseudoRandom(INNER, 15) },
  valueBias: { shape: [HEADS, WIDTH], values: pseudoRandom(INNER, 16) },
};
const POOLED: ControlRow = {
  strideRows: 2,
  strideColumns: 2,
  windowRows: 2,
  windowColumns: 2,
  mode: '2D_MAX',
  kBlend: 0.25,
  vBlend: 1,
};

type Weights = Readonly<Record<string, ModelWeight>>;

/** What the node must give, by the definitions: pool, project, attend. */
function expected(row: ControlRow, given: Weights = weights, scale = 0.5): Float64Array {
  const size = { batch: B, rows: H, columns: W, channels: C };
  const project = (x: ArrayLike<number>, name: keyof typeof weights, bias: string) =>
    plainProjection(x, weights[name].values, C, given[bias]?.values);
  const q = project(hidden, 'queryWeight', 'queryBias');
  const k = project(plainPooling(hidden, size, row, row.kBlend), 'keyWeight', 'keyBias');
  const v = project(plainPooling(hidden, size, row, row.vBlend), 'valueWeight', 'valueBias');
  const keys = k.length / (B * INNER);
  return plainAttention(q, k, v, { batch: B, heads: HEADS, queries: N, keys, width: WIDTH }, scale);
}

interface Run {
  readonly shape: number[];
  readonly values: number[];
  readonly records: ExecutedAttention[];
}

/** Loads, executes twice, checks that nothing leaked, and disposes. */
async function run(model: AttentionModel, feeds: Record<string, () => tf.Tensor>): Promise<Run> {
  const before = tf.memory().numTensors;
  const loaded = await loadAttentionModel(model);
  const fed = Object.fromEntries(Object.entries(feeds).map(([name, make]) => [name, make()]));
  try {
    const execute = (): Run => {
      const records: ExecutedAttention[] = [];
      const out = recordAttention(
        (record) => records.push(record),
        () => loaded.execute(fed, 'out'),
      );
      assert.instance(out, tf.Tensor);
      if (!(out instanceof tf.Tensor)) throw new Error('no tensor');
      const result = { shape: out.shape, values: [...out.dataSync()], records };
      out.dispose();
      return result;
    };
    const first = execute();
    const between = tf.memory().numTensors;
    assert.equal(execute(), first);
    assert.is(tf.memory().numTensors, between, 'tensors leaked');
    return first;
  } finally {
    tf.dispose(fed);
    loaded.dispose();
    assert.is(tf.memory().numTensors, before, 'dispose leaves tensors');
  }
}

const pixels = () => tf.zeros([B, H, W, 1]);
const feedsOf = (form: HiddenForm, row?: ControlRow): Record<string, () => tf.Tensor> => ({
  hidden: () => tf.tensor(hidden, HIDDEN[form]),
  pixels,
  ...(row ? { control: () => tf.tensor2d(encodeControl([row]), [1, 7]) } : {}),
});

function close(actual: ArrayLike<number>, wanted: ArrayLike<number>, label: string): void {
  const difference = largestDifference(actual, wanted);
  assert.ok(difference < 2e-6, `${label} is off by ${difference}`);
}

for (const backend of TEST_BACKENDS) {
  const on = (what: string, body: () => Promise<void>) =>
    test(`${backend}: ${what}`, async () => {
      await useBackend(backend);
      await body();
    });

  for (const hiddenForm of HIDDEN_FORMS) {
    for (const outputForm of OUTPUT_FORMS) {
      on(`${hiddenForm} in, ${outputForm} out; nothing fed is plain attention`, async () => {
        const model: AttentionModel = { weights, attributes: { heads: HEADS, hiddenForm, outputForm } };
        const plain = await run(model, feedsOf(hiddenForm));
        assert.equal(plain.shape, OUTPUT[outputForm]);
        close(plain.values, expected(UNTOUCHED), 'plain');
        const pooled = await run(model, feedsOf(hiddenForm, POOLED));
        assert.equal(pooled.shape, OUTPUT[outputForm]);
        close(pooled.values, expected(POOLED), 'pooled');
        assert.ok(largestDifference(pooled.values, plain.values) > 1e-3, 'pooling changed nothing');
      });
    }
  }

  const transposed = ({ values }: ModelWeight): ModelWeight => ({
    shape: [INNER, C],
    values: Float32Array.from(
      { length: C * INNER },
      (_, index) => values[(index % C) * INNER + Math.floor(index / C)] ?? 0,
    ),
  });
  const spellings: [string, (weight: ModelWeight) => ModelWeight][] = [
    ['[inner, C] transposed', transposed],
    ['[1, 1, C, inner]', ({ values }) => ({ shape: [1, 1, C, INNER], values })],
    ['[C, heads, width]', ({ values }) => ({ shape: [C, HEADS, WIDTH], values })],
  ];
  for (const [what, spell] of spellings) {
    on(`weights ${what}`, async () => {
      const { queryWeight, keyWeight, valueWeight } = weights;
      const spelled = { queryWeight: spell(queryWeight), keyWeight: spell(keyWeight), valueWeight: spell(valueWeight) };
      const transposeWeights = spell === transposed;
      const model = { weights: spelled, attributes: { heads: HEADS, transposeWeights } };
      close((await run(model, feedsOf('tokens', POOLED))).values, expected(POOLED), what);
    });
  }

  const { queryBias, keyBias, valueBias } = biases;
  const someBiases: Weights[] = [biases, { queryBias, valueBias }, { keyBias }, { valueBias }];
  for (const some of someBiases) {
    on(`biases: ${Object.keys(some)}`, async () => {
      const model = { weights: { ...weights, ...some }, attributes: { heads: HEADS } };
      close((await run(model, feedsOf('tokens', POOLED))).values, expected(POOLED, some), 'biased');
    });
  }

  on('its own row of the control table', async () => {
    const model = { weights, attributes: { heads: HEADS, site: 2, scale: 1 }, sites: 3 };
    const control = () => tf.tensor2d(encodeControl([UNTOUCHED, UNTOUCHED, POOLED]), [3, 7]);
    close((await run(model, { ...feedsOf('tokens'), control })).values, expected(POOLED, weights, 1), 'row 2');
    const other = () => tf.tensor2d(encodeControl([POOLED, POOLED, UNTOUCHED]), [3, 7]);
    close(
      (await run(model, { ...feedsOf('tokens'), control: other })).values,
      expected(UNTOUCHED, weights, 1),
      'rows 0, 1',
    );
  });

  on('records what it did', async () => {
    const model = { weights, attributes: { heads: HEADS, hiddenForm: 'flat' } } as const;
    const perHead = backend === 'wasm';
    const record = (kvTokens: number, pooled: boolean) => {
      const logitsBytes = (perHead ? 1 : B * HEADS) * N * kvTokens * 4;
      const values = encodeControl([pooled ? POOLED : UNTOUCHED]);
      const names = SLOTHFUL.stage?.columns.map(({ name }) => name) ?? [];
      const rows = { slothful: Object.fromEntries(names.map((name, index) => [name, values[index]])) };
      const size = { tokens: N, queries: N, kvTokens, items: 1 };
      return [{ site: 0, id: 'input.0.0.0', cross: false, ...size, logitsBytes, pooled, rows }];
    };
    assert.equal((await run(model, feedsOf('flat'))).records, record(N, false));
    assert.equal((await run(model, feedsOf('flat', POOLED))).records, record(2, true));
  });

  const M = 7;
  const context = pseudoRandom(B * M * 4, 21);
  const crossWeights = {
    queryWeight: weights.queryWeight,
    keyWeight: { shape: [4, INNER], values: pseudoRandom(4 * INNER, 22) },
    valueWeight: { shape: [4, INNER], values: pseudoRandom(4 * INNER, 23) },
  };
  const crossExpected = () =>
    plainAttention(
      plainProjection(hidden, weights.queryWeight.values, C),
      plainProjection(context, crossWeights.keyWeight.values, 4),
      plainProjection(context, crossWeights.valueWeight.values, 4),
      { batch: B, heads: HEADS, queries: N, keys: M, width: WIDTH },
      0.5,
    );
  const crossCases: [HiddenForm, HiddenForm, boolean][] = [
    ['tokens', 'tokens', false],
    ['flat', 'tokens', false],
    ['flat', 'flat', true],
    ['grid', 'flat', false],
    ['tokens', 'tokens', true],
  ];
  for (const [hiddenForm, contextForm, grid] of crossCases) {
    on(`cross: ${hiddenForm}, context ${contextForm}, ${grid ? 'with' : 'without'} grid`, async () => {
      const attributes = { heads: HEADS, hiddenForm, contextForm, outputForm: hiddenForm };
      const model = { weights: crossWeights, attributes, context: true, grid };
      const shape = contextForm === 'flat' ? [B * M, 4] : [B, M, 4];
      const feeds = { ...feedsOf(hiddenForm), context: () => tf.tensor(context, shape) };
      const { values, records } = await run(model, feeds);
      close(values, crossExpected(), 'cross');
      assert.equal(
        records.map((each) => [each.cross, each.kvTokens, each.pooled]),
        [[true, M, false]],
      );
    });
  }
}

const failures: [string, AttentionModel, HiddenForm, RegExp][] = [
  [
    'hidden states of another form',
    { weights, attributes: { heads: HEADS, hiddenForm: 'grid' } },
    'tokens',
    /^site "input\.0\.0\.0", hidden states: expected 4-D hidden states, got 3-D \[2,15,6\]/,
  ],
  [
    'heads that do not divide the channels',
    { weights, attributes: { heads: 3 } },
    'tokens',
    /^site "input\.0\.0\.0", attention: q \[2,15,8\].* do not fit each other and 3 heads/,
  ],
  [
    'a weight of other channels',
    {
      weights: { ...weights, keyWeight: { shape: [INNER, C], values: weights.keyWeight.values } },
      attributes: { heads: HEADS },
    },
    'tokens',
    /^site "input\.0\.0\.0", projection: a weight \[8,6\] does not project 6 channels/,
  ],
  [
    'a control table without its row',
    { weights, attributes: { heads: HEADS, site: 1 } },
    'tokens',
    /^site "input\.0\.0\.0", control row 1: the table has 7 values/,
  ],
  ['no heads', { weights, attributes: { heads: 0 } }, 'tokens', /attribute "heads" must be an integer from 1, got 0/],
  [
    'a missing input',
    { weights, attributes: { heads: HEADS, queryBias: true, stages: ['slothful'], columns: [0] } },
    'tokens',
    /^site "input\.0\.0\.0": expected 7 inputs, got 6/,
  ],
];

for (const [what, model, form, message] of failures) {
  test(`refuses ${what}, and names the site`, async () => {
    await useBackend('cpu');
    const loaded = await loadAttentionModel(model);
    const fed = Object.fromEntries(Object.entries(feedsOf(form)).map(([name, make]) => [name, make()]));
    const before = tf.memory().numTensors;
    assert.throws(() => loaded.execute(fed, 'out'), message);
    assert.ok(tf.memory().numTensors === before, 'an error leaks');
    tf.dispose(fed);
    loaded.dispose();
  });
}

test('a grid that is not that of the tokens is refused when something is pooled', async () => {
  await useBackend('cpu');
  const loaded = await loadAttentionModel({ weights, attributes: { heads: HEADS } });
  const fed = { hidden: tf.tensor(hidden, [B, N, C]), pixels: tf.zeros([B, H, H, 1]) };
  const control = tf.tensor2d(encodeControl([POOLED]), [1, 7]);
  assert.throws(() => loaded.execute({ ...fed, control }, 'out'), /15 tokens are not those of the grid 5 x 5/);
  tf.dispose(loaded.execute(fed, 'out'));
  tf.dispose([fed, control]);
  loaded.dispose();
});

test.run();
