import { readFileSync } from 'node:fs';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { decodeStored, float8ToHalves, halfToFloat, isFloat8Dtype, toNumbers } from '../../src/tensors/index.ts';
import { fixture } from '../support/fixtures.ts';

const test = suite('eight-bit floats and other numbers');

const GOLDENS = decodeStored(readFileSync(fixture('adapters/goldens.safetensors')));
const ALL = Uint8Array.from({ length: 256 }, (_, bits) => bits);

for (const dtype of ['F8_E4M3', 'F8_E5M2', 'F8_E4M3FNUZ', 'F8_E5M2FNUZ']) {
  test(`all values of ${dtype} are torch's, signs and all`, () => {
    assert.ok(isFloat8Dtype(dtype));
    const expected = new Uint16Array((GOLDENS.get(`float8/${dtype}`)?.bytes ?? new Uint8Array()).slice().buffer);
    const halves = float8ToHalves(ALL, isFloat8Dtype(dtype) ? dtype : 'F8_E4M3', new Uint16Array(256));
    assert.is(expected.length, 256);
    expected.forEach((half, bits) => {
      const [value, wanted] = [halfToFloat(halves[bits] ?? 0), halfToFloat(half)];
      assert.ok(Object.is(value, wanted), `${bits} is ${value}, not ${wanted}`);
    });
  });
}

test('narrow values may lie at the end of where they become wide', () => {
  const room = new Uint8Array(512);
  room.set(ALL, 256);
  const alone = float8ToHalves(ALL, 'F8_E4M3', new Uint16Array(256));
  assert.equal(float8ToHalves(room.subarray(256), 'F8_E4M3', new Uint16Array(room.buffer)), alone);
});

const bytesOf = (values: ArrayBufferView) => new Uint8Array(values.buffer, values.byteOffset, values.byteLength);

const NUMBERS: ReadonlyArray<readonly [dtype: string, bytes: Uint8Array, expected: readonly number[]]> = [
  ['F64', bytesOf(Float64Array.of(0.1, -3)), [Math.fround(0.1), -3]],
  ['F32', bytesOf(Float32Array.of(0.5)), [0.5]],
  ['F16', bytesOf(Uint16Array.of(0x3c00)), [1]],
  ['BF16', bytesOf(Uint16Array.of(0x3f80)), [1]],
  ['F8_E4M3', Uint8Array.of(0x38, 0xb8), [1, -1]],
  ['I64', bytesOf(BigInt64Array.of(-999n, 2n ** 40n)), [-999, 2 ** 40]],
  ['U64', bytesOf(BigUint64Array.of(7n)), [7]],
  ['I32', bytesOf(Int32Array.of(-5)), [-5]],
  ['U32', bytesOf(Uint32Array.of(2 ** 31)), [2 ** 31]],
  ['I16', bytesOf(Int16Array.of(-2)), [-2]],
  ['U16', bytesOf(Uint16Array.of(65535)), [65535]],
  ['I8', bytesOf(Int8Array.of(-8)), [-8]],
  ['U8', Uint8Array.of(200), [200]],
  ['BOOL', Uint8Array.of(0, 1), [0, 1]],
];

for (const [dtype, bytes, expected] of NUMBERS) {
  test(`reads ${dtype}, wherever its bytes lie`, () => {
    assert.equal([...(toNumbers(bytes, dtype) ?? [])], expected);
    const shifted = new Uint8Array(bytes.length + 1);
    shifted.set(bytes, 1);
    assert.equal([...(toNumbers(shifted.subarray(1), dtype) ?? [])], expected);
  });
}

test('what is no number is not read', () => {
  for (const dtype of ['C64', 'F4', 'constructor', '']) assert.is(toNumbers(new Uint8Array(8), dtype), undefined);
});

test.run();
