import { type Bits, bitsView, type FloatDtype } from '../../src/tensors/index.ts';
import { listNames } from './list-names.ts';

/** The bits of the exponent, which NaN and infinities have all set, and the lowest of them: added, they overflow. */
const EXPONENTS: Readonly<Record<FloatDtype, readonly [exponent: number, lowest: number]>> = {
  F16: [0x7c00, 0x0400],
  BF16: [0x7f80, 0x0080],
  F32: [0x7f800000, 0x00800000],
};

/**
 * How many of a tensor's values are NaN or infinite. That there are none, as in nearly every tensor, is told by one pass over
 * 32 bits at a time.
 *
 * @param bytes little-endian
 */
export function countNonFinite(bytes: Uint8Array, dtype: FloatDtype): number {
  const values = bitsView(bytes, dtype);
  const [exponent, lowest] = EXPONENTS[dtype];
  if (values.byteOffset % 4 === 0 && !hasNonFinite(values, exponent, lowest)) return 0;
  let count = 0;
  for (const value of values) if ((value & exponent) >>> 0 === exponent) count++;
  return count;
}

function hasNonFinite(values: Bits, exponent: number, lowest: number): boolean {
  const words = new Int32Array(values.buffer, values.byteOffset, values.byteLength >> 2);
  const isShort = values.BYTES_PER_ELEMENT === 2;
  const mask = isShort ? (exponent << 16) | exponent : exponent;
  const add = isShort ? (lowest << 16) | lowest : lowest;
  const overflow = isShort ? 0x80008000 | 0 : 0x80000000 | 0;
  let seen = 0;
  for (let i = 0; i < words.length; i++) seen |= (((words[i] ?? 0) & mask) + add) | 0;
  const rest = isShort && values.length % 2 ? (values.at(-1) ?? 0) : 0;
  return (seen & overflow) !== 0 || (rest & exponent) === exponent;
}

/** Values of a checkpoint's tensor that are no numbers. */
export interface Flaw {
  /** File and tensor, for messages. */
  readonly place: string;
  readonly count: number;
}

/** One line about the tensors that have such values; none where there are none. */
export function flawNotes(flaws: readonly Flaw[]): string[] {
  const counts = new Map<string, number>();
  for (const { place, count } of flaws) if (count) counts.set(place, (counts.get(place) ?? 0) + count);
  if (!counts.size) return [];
  const tensors = [...counts].map(([place, count]) => `${place} (${count})`);
  const what = counts.size === 1 ? 'a tensor has' : `${counts.size} tensors have`;
  return [`${what} values that are NaN or infinite, and so will be what the model answers: ${listNames(tensors)}`];
}
