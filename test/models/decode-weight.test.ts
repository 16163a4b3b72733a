import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { constantFromBytes, type WeightSpec } from '../../src/graph/index.ts';
import { decodeWeight, placeStored } from '../../src/models/decode-weight.ts';
import { failsWith } from '../support/errors.ts';

const test = suite('decoding weights');
const spec = (dtype: WeightSpec['dtype'], size: number, quantization?: WeightSpec['quantization']): WeightSpec => ({
  name: 'w',
  shape: [size],
  dtype,
  ...(quantization ? { quantization } : {}),
});

const CASES: [string, WeightSpec, ArrayLike<number> & { buffer: ArrayBuffer }, number[]][] = [
  ['float32', spec('float32', 2), Float32Array.from([0.5, -3]), [0.5, -3]],
  ['int32', spec('int32', 2), Int32Array.from([7, -3]), [7, -3]],
  ['bool', spec('bool', 2), Uint8Array.from([1, 0]), [1, 0]],
  ['uint8', spec('float32', 2, { dtype: 'uint8', scale: 0.5, min: -1 }), Uint8Array.from([0, 200]), [-1, 99]],
  ['uint16', spec('float32', 2, { dtype: 'uint16', scale: 0.5, min: -1 }), Uint16Array.from([3, 60000]), [0.5, 29999]],
  ['uint8 of int32', spec('int32', 2, { dtype: 'uint8', scale: 1.5, min: 0.2 }), Uint8Array.from([1, 2]), [2, 3]],
];

for (const [name, weight, stored, expected] of CASES) {
  test(name, () => {
    const bytes = new Uint8Array(stored.buffer);
    assert.equal([...decodeWeight(weight, bytes, 'm')], expected);
    if (name !== 'uint8 of int32')
      assert.equal(constantFromBytes(weight, bytes)?.values, expected, 'as the document does');
  });
}

test('every half float', () => {
  const halves = Uint16Array.from({ length: 65_536 }, (_, half) => half);
  const bytes = new Uint8Array(halves.buffer);
  const values = decodeWeight(spec('float32', 65_536, { dtype: 'float16' }), bytes, 'm');
  assert.is(values.length, 65_536);
  for (const [half, value] of [
    [0x3c00, 1],
    [0xc000, -2],
    [0x0001, 2 ** -24],
    [0x7bff, 65504],
    [0x7c00, Infinity],
  ]) {
    assert.is(values[half ?? 0], value, `0x${half?.toString(16)}`);
  }
  for (let half = 0; half < 0x7c00; half++) {
    assert.ok((values[half] ?? 0) < (values[half + 1] ?? 0), `0x${half.toString(16)} is below its successor`);
    assert.is(values[half + 0x8000], -(values[half] ?? Number.NaN), 'and mirrored');
  }
  assert.ok(Number.isNaN(values[0x7e00]));
});

test('an odd number of half floats', () => {
  const bytes = new Uint8Array(Uint16Array.from([0x3c00, 0xc000, 0x3800]).buffer);
  assert.equal([...decodeWeight(spec('float32', 3, { dtype: 'float16' }), bytes, 'm')], [1, -2, 0.5]);
});

type Stored = Uint8Array<ArrayBuffer> | Uint16Array<ArrayBuffer>;
const SCALED = { scale: 0.5, min: -100 } as const;
/** Stored values that all differ, so that one which is overwritten before it is read shows. */
const STORED: [string, (size: number) => WeightSpec, (size: number) => Stored][] = [
  ['halves', (size) => spec('float32', size, { dtype: 'float16' }), (size) => Uint16Array.from(upTo(size, 0x3c01))],
  ['uint8', (size) => spec('float32', size, { dtype: 'uint8', ...SCALED }), (size) => Uint8Array.from(upTo(size, 1))],
  [
    'uint16',
    (size) => spec('float32', size, { dtype: 'uint16', ...SCALED }),
    (size) => Uint16Array.from(upTo(size, 9)),
  ],
  [
    'uint8 of int32',
    (size) => spec('int32', size, { dtype: 'uint8', scale: 3, min: -9 }),
    (size) => Uint8Array.from(upTo(size, 1)),
  ],
];

function upTo(size: number, first: number): number[] {
  return Array.from({ length: size }, (_, index) => first + index);
}

for (const [name, specOf, storedOf] of STORED) {
  test(`${name} widened in the memory that they were read into`, () => {
    for (const size of [0, 1, 2, 3, 4, 5, 6, 7, 8, 63, 64, 65, 255]) {
      const weight = specOf(size);
      const stored = new Uint8Array(storedOf(size).buffer);
      const memory = new ArrayBuffer(4 * size);
      const bytes = placeStored(weight, stored.length, (length) => {
        assert.is(length, memory.byteLength);
        return memory;
      });
      assert.is(bytes.byteOffset % 4, 0);
      bytes.set(stored);
      const values = decodeWeight(weight, bytes, 'm', memory);
      assert.is(values.buffer, memory);
      assert.is(values.byteOffset, 0);
      assert.equal([...values], [...decodeWeight(weight, stored, 'm')], `${size} values`);
    }
  });
}

test('plain weights are read into place', () => {
  for (const [weight, length] of [
    [spec('float32', 3), 12],
    [spec('int32', 3), 12],
    [spec('bool', 3), 3],
  ] as const) {
    const bytes = placeStored(weight, length, (total) => new ArrayBuffer(total));
    assert.equal([bytes.byteOffset, bytes.length, bytes.buffer.byteLength], [0, length, length]);
    assert.is(decodeWeight(weight, bytes, 'm').buffer, bytes.buffer);
  }
});

test('what cannot be decoded is named', async () => {
  await failsWith('unsupported', /m: the weight "w" is complex64/, () =>
    decodeWeight(spec('complex64', 1), new Uint8Array(8), 'm'),
  );
  await failsWith('bad-model', /quantization that does not fit float32: \{"dtype":"uint8"\}/, () =>
    decodeWeight(spec('float32', 1, { dtype: 'uint8' }), new Uint8Array(1), 'm'),
  );
  await failsWith('bad-model', /does not fit int32/, () =>
    decodeWeight(spec('int32', 1, { dtype: 'float16' }), new Uint8Array(2), 'm'),
  );
});

test.run();
