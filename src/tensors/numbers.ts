import { isFloatDtype, toFloat32Array } from './convert.ts';
import { float8ToHalves, isFloat8Dtype } from './float8.ts';

type Read = (view: DataView, at: number) => number;

/** How values of the dtypes that are no weights are read. */
const READERS: Readonly<Record<string, readonly [bytes: number, read: Read]>> = {
  F64: [8, (view, at) => view.getFloat64(at, true)],
  I64: [8, (view, at) => Number(view.getBigInt64(at, true))],
  U64: [8, (view, at) => Number(view.getBigUint64(at, true))],
  I32: [4, (view, at) => view.getInt32(at, true)],
  U32: [4, (view, at) => view.getUint32(at, true)],
  I16: [2, (view, at) => view.getInt16(at, true)],
  U16: [2, (view, at) => view.getUint16(at, true)],
  I8: [1, (view, at) => view.getInt8(at)],
  U8: [1, (view, at) => view.getUint8(at)],
  F8_E8M0: [1, (view, at) => (view.getUint8(at) === 0xff ? Number.NaN : 2 ** (view.getUint8(at) - 127))],
  BOOL: [1, (view, at) => Number(view.getUint8(at) !== 0)],
};

/**
 * Reads bytes of any dtype whose values are numbers (whole ones and truth values too) as float32; undefined for other
 * dtypes. For what is data, such as timesteps and alphas: weights are read by `floatDtype`.
 *
 * @param bytes little-endian
 */
export function toNumbers(bytes: Uint8Array, dtype: string): Float32Array | undefined {
  if (isFloatDtype(dtype)) return toFloat32Array(bytes, dtype);
  if (isFloat8Dtype(dtype)) {
    const halves = float8ToHalves(bytes, dtype, new Uint16Array(bytes.length));
    return toFloat32Array(new Uint8Array(halves.buffer), 'F16');
  }
  const [size, read] = Object.hasOwn(READERS, dtype) ? (READERS[dtype] ?? []) : [];
  if (size === undefined || !read) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Float32Array.from({ length: Math.floor(bytes.byteLength / size) }, (_, index) => read(view, index * size));
}
