import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type Recipe, Scratch, type TensorSource, weightEntry } from '../../converters/weights/index.ts';
import { toFloat32Array } from '../../src/tensors/index.ts';
import { thrown } from './support.ts';

const test = suite('weights: entries');

/** A tensor that holds 0, 1, 2, ... (modulo 1024, which every dtype but BF16 holds exactly; BF16: modulo 128). */
function counting(dtype: string, shape: readonly number[]): { source: TensorSource; values: number[] } {
  const size = shape.reduce((product, size) => product * size, 1);
  const values = Array.from({ length: size }, (_, i) => i % (dtype === 'BF16' ? 128 : 1024));
  const floats = new Uint32Array(Float32Array.from(values).buffer);
  const bits = {
    F32: () => floats,
    BF16: () => Uint16Array.from(floats, (bits) => bits >>> 16),
    F16: () => Uint16Array.from(values, (value) => (value ? halfBits(value) : 0)),
  }[dtype as 'F32' | 'BF16' | 'F16'];
  const bytes = new Uint8Array((bits?.() ?? floats).buffer);
  const readRange = async (begin: number, end: number, into: Uint8Array = new Uint8Array(end - begin)) => {
    into.set(bytes.subarray(begin, end));
    return into.subarray(0, end - begin);
  };
  const read = (into?: Uint8Array) => readRange(0, bytes.length, into);
  return { source: { name: 'a.weight', file: 'm.safetensors', dtype, shape, read, readRange }, values };
}

function halfBits(value: number): number {
  const exponent = Math.floor(Math.log2(value));
  return ((exponent + 15) << 10) | ((value / 2 ** exponent - 1) * 1024);
}

/** What PyTorch's permute would give, value by value. */
function expected(values: readonly number[], shape: readonly number[], { layout, rows }: Recipe): number[] {
  const [allRows = 1, input = 1, height = 1, width = 1] = shape;
  const { from, to } = rows ?? { from: 0, to: allRows };
  const rowSize = values.length / allRows;
  const kept = values.slice(from * rowSize, to * rowSize);
  if (layout === 'as-is') return kept;
  const out = to - from;
  const result: number[] = [];
  for (let tap = 0; tap < height * width; tap++) {
    for (let i = 0; i < input; i++) {
      for (let o = 0; o < out; o++) result.push(kept[(o * input + i) * height * width + tap] ?? Number.NaN);
    }
  }
  return result;
}

const CASES: ReadonlyArray<readonly [shape: number[], layout: Recipe['layout'], rows?: Recipe['rows']]> = [
  [[], 'as-is'],
  [[7], 'as-is'],
  [[8], 'as-is', { from: 4, to: 8 }],
  [[0], 'as-is'],
  [[3, 5], 'as-is'],
  [[1, 1], 'matrix'],
  [[2, 2], 'matrix'],
  [[5, 3], 'matrix'],
  [[6, 5], 'matrix'],
  [[5, 6], 'matrix'],
  [[64, 64], 'matrix'],
  [[66, 130], 'matrix'],
  [[130, 66], 'matrix'],
  [[131, 67], 'matrix'],
  [[128, 10], 'matrix', { from: 0, to: 64 }],
  [[128, 10], 'matrix', { from: 64, to: 128 }],
  [[6, 3], 'matrix', { from: 3, to: 6 }],
  [[40, 70, 1, 1], 'matrix'],
  [[40, 70, 1, 1], 'conv'],
  [[4, 6, 3, 3], 'conv'],
  [[70, 66, 3, 3], 'conv'],
  [[5, 3, 3, 3], 'conv'],
  [[4, 2, 2, 5], 'conv'],
];

for (const dtype of ['F16', 'BF16', 'F32']) {
  for (const to of ['float16', 'float32'] as const) {
    test(`${dtype} -> ${to}: every layout`, async () => {
      const scratch = new Scratch();
      for (const [shape, layout, rows] of CASES) {
        const recipe: Recipe = rows ? { dtype: to, layout, rows } : { dtype: to, layout };
        const { source, values } = counting(dtype, shape);
        const entry = weightEntry('w', source, recipe);
        const bytes = new Uint8Array(await entry.produce(scratch));
        const wanted = expected(values, shape, recipe);
        const made = Array.from(toFloat32Array(bytes, to === 'float16' ? 'F16' : 'F32'));
        assert.equal(made, wanted, `${dtype} [${shape.join(', ')}] ${layout}`);
        assert.is(
          entry.spec.shape.reduce((product, size) => product * size, 1),
          wanted.length,
        );
      }
    });
  }
}

test('says the shape and dtype that the manifest has', () => {
  const { source } = counting('F16', [6, 4, 3, 2]);
  const conv = weightEntry('w', source, { dtype: 'float16', layout: 'conv' });
  assert.equal(conv.spec, {
    name: 'w',
    shape: [3, 2, 4, 6],
    dtype: 'float32',
    quantization: { dtype: 'float16', original_dtype: 'float32' },
  });
  const half = weightEntry('w', counting('F16', [6, 4]).source, {
    dtype: 'float32',
    layout: 'matrix',
    rows: { from: 3, to: 6 },
  });
  assert.equal(half.spec, { name: 'w', shape: [4, 3], dtype: 'float32' });
});

const REFUSED: ReadonlyArray<readonly [dtype: string, shape: number[], recipe: Partial<Recipe>, says: RegExp]> = [
  [
    'F64',
    [2],
    {},
    /^m.safetensors tensor "a.weight": is F64; weights are read from .*; convert the checkpoint to fp16/,
  ],
  ['F8_E4M3', [2], {}, /is F8_E4M3/],
  ['I64', [2], {}, /is I64/],
  ['F16', [2], { layout: 'matrix' }, /is not a matrix, its shape is \[2\]/],
  ['F16', [2, 2, 3, 3], { layout: 'matrix' }, /is not a matrix/],
  ['F16', [2, 2], { layout: 'conv' }, /is not a convolution/],
  ['F16', [4, 2], { rows: { from: 2, to: 5 } }, /has no rows 2 to 5, its shape is \[4, 2\]/],
  ['F16', [4, 2], { rows: { from: 2, to: 2 } }, /has no rows/],
  ['F16', [], { rows: { from: 0, to: 1 } }, /has no rows/],
];

for (const [dtype, shape, recipe, says] of REFUSED) {
  test(`refuses ${dtype} [${shape.join(', ')}] ${JSON.stringify(recipe)}`, () => {
    const { source } = counting(dtype, shape);
    const error = thrown(() => weightEntry('w', source, { dtype: 'float16', layout: 'as-is', ...recipe }));
    assert.match(error.message, says);
  });
}

test.run();
