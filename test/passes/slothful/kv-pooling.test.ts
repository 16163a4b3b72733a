import * as tf from '@tensorflow/tfjs-core';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type ControlRow, type Grid, POOLING_MODES, UNTOUCHED } from '../../../src/passes/slothful/index.ts';
import { sample } from '../../../src/passes/slothful/kv-pooling.ts';
import { KVPooling } from '../../../src/passes/slothful/kv-pooling-layer.ts';
import { TEST_BACKENDS, useBackend } from '../../support/backend.ts';
import { fixture } from '../../support/fixtures.ts';
import { largestDifference, pseudoRandom } from '../../support/numbers.ts';
import { plainPooling } from '../../support/plain-pooling.ts';
import { ownRow, poolingCases, SHORTCUT_CASES } from '../../support/pooling-cases.ts';
import { readSafetensors } from '../../support/safetensors.ts';

const test = suite('KVPooling');
const tensors = readSafetensors(fixture('pooling/kv.safetensors'));
const cases = poolingCases();

interface Pooled {
  readonly shape: number[];
  readonly k: Float32Array;
  readonly v: Float32Array;
}

function poolFixture(name: string, row: ControlRow, grid: Grid): Pooled {
  const x = tensors.get(`${name}.x`);
  assert.ok(x, `${name}.x is missing`);
  const layer = new KVPooling();
  const run = (): Pooled => {
    const [b = 0, n = 0, c = 0] = x.shape;
    const [k, v] = layer.pool(tf.tensor3d(x.data, [b, n, c]), row, grid);
    assert.equal(k.shape, v.shape);
    return { shape: k.shape, k: k.dataSync<'float32'>().slice(), v: v.dataSync<'float32'>().slice() };
  };
  tf.engine().startScope();
  const pooled = run();
  tf.engine().endScope();
  return pooled;
}

/** Sampling and maximum of one tensor are exact; means and blends round. */
function toleranceOf(row: ControlRow): number {
  const pure = [row.kBlend, row.vBlend].every((blend) => blend === 0 || (blend === 1 && row.mode.endsWith('MAX')));
  return pure ? 0 : 1e-6;
}

function compare(name: string, row: ControlRow, grid: Grid): void {
  const pooled = poolFixture(name, row, grid);
  const x = tensors.get(`${name}.x`);
  for (const side of ['k', 'v'] as const) {
    const expected = tensors.get(`${name}.${side}`) ?? x;
    assert.equal(pooled.shape, expected?.shape, name);
    const difference = largestDifference(pooled[side], expected?.data ?? []);
    assert.ok(difference <= toleranceOf(row), `${name}.${side} is off by ${difference}`);
  }
}

for (const backend of TEST_BACKENDS) {
  const on = (what: string, run: () => void) =>
    test(`${backend}: ${what}`, async () => {
      await useBackend(backend);
      const before = tf.memory().numTensors;
      run();
      assert.is(tf.memory().numTensors, before, 'tensors leaked');
    });

  on('the 380 cases of the original', () => {
    const plain = cases.filter((each) => !each.reference_error && !SHORTCUT_CASES.includes(each.name));
    assert.is(plain.length, 380);
    for (const each of plain) {
      assert.is(tensors.has(`${each.name}.k`), !each.unchanged);
      compare(each.name, ownRow(each).row, each.grid);
    }
  });

  on('blends of 1 and 1: compat gives what the original gives, ours the pooled tensor', () => {
    for (const each of cases.filter(({ name }) => SHORTCUT_CASES.includes(name))) {
      compare(each.name, ownRow(each, 'comfyui').row, each.grid);
      const { row } = ownRow(each);
      const x = tensors.get(`${each.name}.x`);
      const size = { batch: x?.shape[0] ?? 0, rows: each.grid[0], columns: each.grid[1], channels: x?.shape[2] ?? 0 };
      const expected = plainPooling(x?.data ?? [], size, row, 1);
      const pooled = poolFixture(each.name, row, each.grid);
      assert.ok(largestDifference(pooled.k, expected) < 1e-6 && largestDifference(pooled.v, expected) < 1e-6);
    }
  });

  on('a window beyond the grid, where the original throws, is the whole grid', () => {
    const each = cases.find(({ reference_error }) => reference_error);
    assert.ok(each);
    const x = tensors.get(`${each.name}.x`);
    const { row } = ownRow(each);
    const pooled = poolFixture(each.name, row, each.grid);
    const size = { batch: x?.shape[0] ?? 0, rows: 4, columns: 4, channels: x?.shape[2] ?? 0 };
    assert.equal(pooled.shape, [size.batch, 1, size.channels]);
    assert.ok(largestDifference(pooled.k, plainPooling(x?.data ?? [], size, row, 0.5)) < 1e-6);
  });

  on('any strides and windows that a hook may ask for', () => {
    const size = { batch: 2, rows: 7, columns: 5, channels: 9 };
    const x = pseudoRandom(2 * 7 * 5 * 9);
    const shapes: [number, number, number, number][] = [
      [1, 2, 1, 2],
      [2, 1, 3, 2],
      [3, 2, 2, 1],
      [1, 1, 2, 2],
      [9, 9, 9, 9],
      [2, 3, 1, 1],
      [40, 1, 40, 1],
    ];
    for (const mode of POOLING_MODES) {
      for (const [strideRows, strideColumns, windowRows, windowColumns] of shapes) {
        const row = { strideRows, strideColumns, windowRows, windowColumns, mode, kBlend: 0.25, vBlend: 1 };
        const pooled = tf.tidy(() =>
          new KVPooling().pool(tf.tensor3d(x, [2, 35, 9]), row, [7, 5]).map((each) => [...each.dataSync()]),
        );
        [row.kBlend, row.vBlend].forEach((blend, side) => {
          const difference = largestDifference(pooled[side] ?? [], plainPooling(x, size, row, blend));
          assert.ok(difference < 1e-6, `${JSON.stringify(row)} is off by ${difference}`);
        });
      }
    }
  });

  on('both ways to sample give the same pixels', () => {
    tf.tidy(() => {
      const pixels = tf.tensor4d(pseudoRandom(2 * 7 * 5 * 3), [2, 7, 5, 3]);
      const sampling = { strides: [3, 2], size: [2, 3] } as const;
      const [copied, sliced] = [true, false].map((inHostMemory) => sample({ tf, inHostMemory }, pixels, sampling));
      assert.ok(copied && sliced);
      assert.equal(copied.shape, [2, 2, 3, 3]);
      assert.equal(sliced.shape, copied.shape);
      assert.equal([...copied.dataSync()], [...sliced.dataSync()]);
    });
  });

  on('an untouched row gives the same data, not a copy', () => {
    tf.tidy(() => {
      const x = tf.ones<tf.Rank.R3>([1, 6, 2]);
      const { numDataBuffers } = tf.memory();
      const outputs = new KVPooling().pool(x, UNTOUCHED, undefined);
      assert.is(tf.memory().numDataBuffers, numDataBuffers);
      for (const output of outputs) assert.ok(output !== x && output.dataId === x.dataId);
    });
  });
}

test('as a layer: apply, output shape, configuration', async () => {
  await useBackend('cpu');
  const row: ControlRow = { ...UNTOUCHED, strideRows: 2, windowRows: 2, kBlend: 1 };
  const layer = new KVPooling({ name: 'pooling' });
  const outputs = layer.apply(tf.tensor3d([1, 3, 5, 7], [1, 4, 1]), { row, grid: [4, 1] });
  assert.ok(Array.isArray(outputs));
  const values = outputs.map((each) => (each instanceof tf.Tensor ? [...each.dataSync()] : []));
  assert.equal(values, [
    [2, 6],
    [1, 5],
  ]);
  assert.equal(layer.computeOutputShape([2, 16, 8]), [
    [2, null, 8],
    [2, null, 8],
  ]);
  const again = KVPooling.fromConfig(KVPooling, layer.getConfig());
  assert.instance(again, KVPooling);
  assert.equal(again.getConfig(), layer.getConfig());
  assert.is(tf.serialization.getRegisteredName(KVPooling), 'Custom>KVPooling');
});

test('refuses a grid that is not that of the tokens, and hidden states that are not [B, N, C]', async () => {
  await useBackend('cpu');
  const row: ControlRow = { ...UNTOUCHED, strideRows: 2 };
  const layer = new KVPooling({ name: 'pooling' });
  const x = tf.ones<tf.Rank.R3>([1, 6, 2]);
  assert.throws(() => layer.pool(x, row, [2, 2]), /pooling: 6 tokens are not those of the grid 2 x 2/);
  assert.throws(() => layer.pool(x, row), /pooling: 6 tokens are not those of the grid \(none given\)/);
  assert.throws(() => layer.call(tf.ones([6, 2])), /pooling: expected hidden states \[B, N, C\], got \[6,2\]/);
});

test.run();
