import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { constantFromBytes, type WeightSpec } from '../../src/graph/index.ts';
import { decodeWeight } from '../../src/io/index.ts';
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
