import { SlothfulError } from '../../src/errors.ts';
import type { WeightDtype } from '../../src/tensors/dtypes.ts';
import { bfloatTable, floatTable, halfOf, OVERFLOW } from '../../src/tensors/half.ts';

/** How weights are stored in a model: `float16` is decoded to float32 when TF.js loads it. */
export type StoredDtype = 'float16' | 'float32';

/** The bits of values: 16 or 32 a value. Never floats, so that moving a NaN cannot change it. */
export type Bits = Uint16Array | Uint32Array;

/** A view of little-endian bytes as 16- or 32-bit values; a copy only where the bytes are not aligned. */
export function bitsView(bytes: Uint8Array, dtype: WeightDtype): Bits {
  const size = dtype === 'F32' ? 4 : 2;
  const aligned = bytes.byteOffset % size === 0 ? bytes : bytes.slice();
  const length = Math.floor(aligned.byteLength / size);
  return size === 4
    ? new Uint32Array(aligned.buffer, aligned.byteOffset, length)
    : new Uint16Array(aligned.buffer, aligned.byteOffset, length);
}

function overflow(bits: number, place: string): never {
  const [value] = new Float32Array(Uint32Array.of(bits).buffer);
  throw new SlothfulError('bad-checkpoint', place, `holds ${value}, above float16's 65504`, 'use --dtype float32');
}

/** Signed views of 32-bit values: loads of unsigned ones leave the integer registers and halve the speed. */
function signed(values: Uint32Array): Int32Array {
  return new Int32Array(values.buffer, values.byteOffset, values.length);
}

function roundFloats(values: Int32Array, into: Uint16Array, place: string): void {
  for (let i = 0; i < values.length; i++) {
    const bits = values[i] ?? 0;
    const half = halfOf(bits);
    if (half === OVERFLOW) overflow(bits, place);
    into[i] = half;
  }
}

function roundBfloats(values: Uint16Array, into: Uint16Array, place: string): void {
  const table = bfloatTable();
  for (let i = 0; i < values.length; i++) {
    const upper = values[i] ?? 0;
    const half = table[upper] ?? 0;
    if (half === OVERFLOW) overflow(upper << 16, place);
    into[i] = half;
  }
}

/**
 * Float32 or bfloat16 bits to float16 bits, rounded to nearest even; NaN and infinities are kept.
 *
 * @param into where to; may share its memory with the start of `values`, since it is filled forwards and never faster
 * @param place file and tensor, for the message
 * @throws SlothfulError `bad-checkpoint` naming tensor and value where a finite value rounds to infinity
 */
export function toHalves(values: Bits, into: Uint16Array, place: string): Uint16Array {
  if (values instanceof Uint32Array) roundFloats(signed(values), into, place);
  else roundBfloats(values, into, place);
  return into;
}

/** Float16 or bfloat16 bits to float32 bits, exactly. */
export function toFloats(values: Uint16Array, from: 'F16' | 'BF16', into: Uint32Array): Uint32Array {
  const target = signed(into);
  if (from === 'BF16') {
    for (let i = 0; i < values.length; i++) target[i] = (values[i] ?? 0) << 16;
    return into;
  }
  const table = floatTable();
  for (let i = 0; i < values.length; i++) target[i] = table[values[i] ?? 0] ?? 0;
  return into;
}

/**
 * Reads F16, BF16 or F32 bytes as float32 values: for inputs and small tables; weights are streamed by `weightEntry`.
 *
 * @param into memory for values that are widened; new memory without
 */
export function toFloat32Array(bytes: Uint8Array, dtype: WeightDtype, into?: ArrayBuffer): Float32Array {
  const bits = bitsView(bytes, dtype);
  if (bits instanceof Uint32Array) return new Float32Array(bits.buffer, bits.byteOffset, bits.length);
  const from = dtype === 'BF16' ? 'BF16' : 'F16';
  const floats = toFloats(bits, from, new Uint32Array(into ?? new ArrayBuffer(4 * bits.length), 0, bits.length));
  return new Float32Array(floats.buffer, 0, floats.length);
}
