import { isFloatDtype, toFloat32Array } from './convert.ts';

/** The values of little-endian bytes, one after the other. */
type Read = (view: DataView, at: number) => number;

/** Where the bits of a float of one byte are, and what stands for no number. */
interface Float8 {
  readonly mantissaBits: number;
  readonly bias: number;
  /** As IEEE has them, with infinities; only all ones is NaN (`fn`); or only minus zero is (`fnuz`). */
  readonly special: 'ieee' | 'fn' | 'fnuz';
}

/** Source: the safetensors format's dtypes, and OCP's and Graphcore's definitions of these formats as in PyTorch. */
const FLOATS_8: Readonly<Record<string, Float8>> = {
  F8_E5M2: { mantissaBits: 2, bias: 15, special: 'ieee' },
  F8_E4M3: { mantissaBits: 3, bias: 7, special: 'fn' },
  F8_E5M2FNUZ: { mantissaBits: 2, bias: 16, special: 'fnuz' },
  F8_E4M3FNUZ: { mantissaBits: 3, bias: 8, special: 'fnuz' },
};

function float8(byte: number, { mantissaBits, bias, special }: Float8): number {
  const sign = byte & 0x80 ? -1 : 1;
  const magnitude = byte & 0x7f;
  const mantissa = magnitude & ((1 << mantissaBits) - 1);
  const exponent = magnitude >> mantissaBits;
  if (special === 'fnuz' && byte === 0x80) return Number.NaN;
  if (special === 'fn' && magnitude === 0x7f) return Number.NaN;
  if (special === 'ieee' && exponent === 0x7f >> mantissaBits) {
    return mantissa ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  }
  const share = mantissa / (1 << mantissaBits);
  return exponent ? sign * (1 + share) * 2 ** (exponent - bias) : sign * share * 2 ** (1 - bias);
}

const READERS: Readonly<Record<string, readonly [bytes: number, read: Read]>> = {
  BOOL: [1, (view, at) => (view.getUint8(at) ? 1 : 0)],
  U8: [1, (view, at) => view.getUint8(at)],
  I8: [1, (view, at) => view.getInt8(at)],
  U16: [2, (view, at) => view.getUint16(at, true)],
  I16: [2, (view, at) => view.getInt16(at, true)],
  U32: [4, (view, at) => view.getUint32(at, true)],
  I32: [4, (view, at) => view.getInt32(at, true)],
  U64: [8, (view, at) => Number(view.getBigUint64(at, true))],
  I64: [8, (view, at) => Number(view.getBigInt64(at, true))],
  F64: [8, (view, at) => view.getFloat64(at, true)],
  F8_E8M0: [1, (view, at) => (view.getUint8(at) === 0xff ? Number.NaN : 2 ** (view.getUint8(at) - 127))],
  ...Object.fromEntries(
    Object.entries(FLOATS_8).map(([dtype, form]) => {
      const values = Float32Array.from({ length: 256 }, (_, byte) => float8(byte, form));
      const read: Read = (view, at) => values[view.getUint8(at)] ?? Number.NaN;
      return [dtype, [1, read]] as const;
    }),
  ),
};

/**
 * Values that are data, not weights, of any dtype of safetensors that is a number: as float32, rounded to nearest.
 *
 * @param bytes little-endian; F32 gives a view of them where they are aligned
 * @returns undefined for a dtype that is no number, or of parts of a byte
 */
export function toNumbers(bytes: Uint8Array, dtype: string): Float32Array | undefined {
  if (isFloatDtype(dtype)) return toFloat32Array(bytes, dtype);
  const [size, read] = READERS[dtype] ?? [];
  if (!size || !read) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Float32Array.from({ length: bytes.byteLength / size }, (_, index) => read(view, index * size));
}
