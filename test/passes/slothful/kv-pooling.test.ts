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

/** Rows and columns of a grid, row by row. */
function places([rows, columns]: Grid): Grid[] {
  return Array.from({ length: rows * columns }, (_, i): Grid => [Math.floor(i / columns), i % columns]);
}

/** Kernels by name that a pooling computes with. */
async function kernelsOf(row: ControlRow): Promise<string[]> {
  const x = tf.ones<tf.Rank.R3>([1, 24, 2]);
  const { kernels } = await tf.profile(() => tf.tidy(() => void new KVPooling().pool(x, row, [4, 6])));
  x.dispose();
  return kernels.map(({ name }) => name).filter((name) => /Pool|Add|Multiply/.test(name));
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
    // Of 7 x 5: with pixels left over on either side, on both, on none, and of a single row or column.
    const samplings: readonly { readonly strides: Grid; readonly size: Grid }[] = [
      { strides: [3, 2], size: [2, 3] },
      { strides: [2, 2], size: [4, 2] },
      { strides: [1, 1], size: [5, 3] },
      { strides: [1, 1], size: [7, 5] },
      { strides: [7, 1], size: [1, 4] },
      { strides: [2, 5], size: [3, 1] },
    ];
    const values = pseudoRandom(2 * 7 * 5 * 3);
    for (const sampling of samplings) {
      const { strides, size } = sampling;
      const wanted = [0, 1].flatMap((item) =>
        places(size).flatMap(([row, column]) => {
          const first = ((item * 7 + row * strides[0]) * 5 + column * strides[1]) * 3;
          return [...values.slice(first, first + 3)];
        }),
      );
      tf.tidy(() => {
        const pixels = tf.tensor4d(values, [2, 7, 5, 3]);
        for (const inHostMemory of [true, false]) {
          const sampled = sample({ tf, inHostMemory }, pixels, sampling);
          assert.equal(sampled.shape, [2, ...size, 3]);
          assert.equal([...sampled.dataSync()], wanted, `${JSON.stringify(sampling)}, ${inHostMemory}`);
        }
      });
    }
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

const HALF: ControlRow = { ...UNTOUCHED, strideRows: 2, strideColumns: 3, windowRows: 2, windowColumns: 3 };

/** What a blend does not need is not computed, and equal blends are computed once. */
const KERNELS: ReadonlyArray<readonly [row: Partial<ControlRow>, kernels: readonly string[]]> = [
  [{ kBlend: 0, vBlend: 0 }, []],
  [{ kBlend: 1, vBlend: 1 }, ['AvgPool']],
  [{ kBlend: 1, vBlend: 0, mode: '2D_MAX' }, ['MaxPool']],
  [{ kBlend: 0.5, vBlend: 0.5 }, ['Add', 'AvgPool', 'Multiply', 'Multiply']],
  [{ kBlend: 0.5, vBlend: 1 }, ['Add', 'AvgPool', 'Multiply', 'Multiply']],
  [{ kBlend: 0.5, vBlend: 0.25 }, ['Add', 'Add', 'AvgPool', 'Multiply', 'Multiply', 'Multiply', 'Multiply']],
  [{ windowRows: 1, windowColumns: 1, kBlend: 1, vBlend: 0.5 }, []],
  [{ windowRows: 1, kBlend: 1, vBlend: 1 }, ['AvgPool']],
  [{ windowColumns: 1, kBlend: 1, vBlend: 1 }, ['AvgPool']],
];

test('nothing is computed that the blends do not need', async () => {
  await useBackend('cpu');
  for (const [row, kernels] of KERNELS) {
    assert.equal((await kernelsOf({ ...HALF, ...row })).sort(), kernels, JSON.stringify(row));
  }
});

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
