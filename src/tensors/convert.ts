import { SlothfulError } from '../errors.ts';
import { bfloatOf, bfloatTable, floatTable, halfOf, OVERFLOW } from './half.ts';

/** A dtype whose values are floats that this toolkit computes with. */
export type FloatDtype = 'F16' | 'BF16' | 'F32';

/** Whether values of a safetensors dtype can be read as floats. */
export function isFloatDtype(dtype: string): dtype is FloatDtype {
  return dtype === 'F16' || dtype === 'BF16' || dtype === 'F32';
}

/** Bytes of one value. */
export function floatBytes(dtype: FloatDtype): 2 | 4 {
  return dtype === 'F32' ? 4 : 2;
}

/** The bits of values: 16 or 32 a value. Never floats, so that moving a NaN cannot change it. */
export type Bits = Uint16Array | Uint32Array;

/** A view of little-endian bytes as 16- or 32-bit values; a copy only where the bytes are not aligned. */
export function bitsView(bytes: Uint8Array, dtype: FloatDtype): Bits {
  const size = floatBytes(dtype);
  // Not `slice`, which copies nothing of a Buffer.
  const aligned = bytes.byteOffset % size === 0 ? bytes : new Uint8Array(bytes);
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

/**
 * Float16 or bfloat16 bits to float32 bits, exactly.
 *
 * @param into where to; may be the memory whose end `values` is, since it is filled from the front on and never catches
 * up with what is still to be read
 */
export function toFloats(values: Uint16Array, from: 'F16' | 'BF16', into: Uint32Array): Uint32Array {
  const target = signed(into);
  if (from === 'F16') return widenHalves(values, target, into);
  for (let i = 0; i < values.length; i++) target[i] = (values[i] ?? 0) << 16;
  return into;
}

/**
 * One look-up a value in the table of all halves. Two halves are read at a time and bits are moved as integers, which is
 * twice as fast as one half and one float at a time (587 against 313 million values a second).
 */
function widenHalves(values: Uint16Array, target: Int32Array, into: Uint32Array): Uint32Array {
  const table = floatTable();
  const inPairs = values.byteOffset % 4 === 0 ? values.length >> 1 : 0;
  const pairs = new Int32Array(values.buffer, inPairs ? values.byteOffset : 0, inPairs);
  let next = 0;
  for (let i = 0; i < pairs.length; i++) {
    const pair = pairs[i] ?? 0;
    target[next++] = table[pair & 0xffff] ?? 0;
    target[next++] = table[pair >>> 16] ?? 0;
  }
  for (; next < values.length; next++) target[next] = table[values[next] ?? 0] ?? 0;
  return into;
}

/**
 * Reads F16, BF16 or F32 bytes as float32 values, exactly; a view of the bytes where they are that already.
 *
 * @param bytes little-endian
 * @param into memory for values that are widened; new memory without
 */
export function toFloat32Array(bytes: Uint8Array, dtype: FloatDtype, into?: ArrayBuffer): Float32Array {
  const bits = bitsView(bytes, dtype);
  if (bits instanceof Uint32Array) return new Float32Array(bits.buffer, bits.byteOffset, bits.length);
  const from = dtype === 'BF16' ? 'BF16' : 'F16';
  const floats = toFloats(bits, from, new Uint32Array(into ?? new ArrayBuffer(4 * bits.length), 0, bits.length));
  return new Float32Array(floats.buffer, 0, floats.length);
}

/**
 * Float32 values as F16, BF16 or F32 bytes, rounded to nearest even; a view of the values where they are that already.
 *
 * @returns little-endian bytes
 * @throws SlothfulError `bad-checkpoint` naming the first value that is finite and too large for float16
 */
export function toFloatBytes(values: Float32Array, dtype: FloatDtype, place = 'values'): Uint8Array {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  if (dtype === 'F32') return new Uint8Array(bits.buffer, bits.byteOffset, bits.byteLength);
  const short = new Uint16Array(values.length);
  if (dtype === 'F16') toHalves(bits, short, place);
  else for (let i = 0; i < short.length; i++) short[i] = bfloatOf(bits[i] ?? 0);
  return new Uint8Array(short.buffer);
}
