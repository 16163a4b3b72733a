import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { bytesOfShape } from '../../src/tensors/header.ts';

const test = suite('dtypes of safetensors');

/** Bits of a value by `Dtype::bitsize` of the format's own library. */
const BITS: Readonly<Record<string, number>> = {
  F4: 4,
  F6_E2M3: 6,
  F6_E3M2: 6,
  BOOL: 8,
  U8: 8,
  I8: 8,
  F8_E5M2: 8,
  F8_E4M3: 8,
  F8_E8M0: 8,
  F8_E4M3FNUZ: 8,
  F8_E5M2FNUZ: 8,
  I16: 16,
  U16: 16,
  F16: 16,
  BF16: 16,
  I32: 32,
  U32: 32,
  F32: 32,
  C64: 64,
  F64: 64,
  I64: 64,
  U64: 64,
};

test('bytes of a tensor by its dtype and shape', () => {
  for (const [dtype, bits] of Object.entries(BITS)) {
    assert.is(bytesOfShape(dtype, [2, 4]), bits, dtype);
    assert.is(bytesOfShape(dtype, []), bits / 8, dtype);
    assert.is(bytesOfShape(dtype, [3, 0]), 0, dtype);
  }
  assert.is(bytesOfShape('F17', [1]), undefined);
  assert.is(bytesOfShape('F4', [3]), 1.5);
});

test('what has more bits than can be counted has no size', () => {
  assert.is(bytesOfShape('U8', [2 ** 25, 2 ** 24]), 2 ** 49);
  assert.is(bytesOfShape('U8', [2 ** 25, 2 ** 25]), undefined);
  assert.is(bytesOfShape('F4', [2 ** 25, 2 ** 25]), 2 ** 49);
});

test.run();
