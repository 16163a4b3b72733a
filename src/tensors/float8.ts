import { halfOf } from './half.ts';

/** How many bits an eight-bit float has for its exponent, what that is counted from, and whether it keeps infinities. */
interface Float8Format {
  readonly exponentBits: number;
  readonly bias: number;
  /** As IEEE 754 has them at the largest exponent; else one value alone is no number. */
  readonly infinities: boolean;
  /** The bits that are no number where there are no infinities; the sign may differ where it is not the sign bit alone. */
  readonly nan: number;
}

/**
 * The eight-bit floats of safetensors. Every value of each of them is a float16 too, exactly.
 *
 * Source: OCP 8-bit floating point specification; ONNX's description of the FNUZ forms.
 */
const FORMATS = {
  F8_E4M3: { exponentBits: 4, bias: 7, infinities: false, nan: 0x7f },
  F8_E5M2: { exponentBits: 5, bias: 15, infinities: true, nan: 0x7f },
  F8_E4M3FNUZ: { exponentBits: 4, bias: 8, infinities: false, nan: 0x80 },
  F8_E5M2FNUZ: { exponentBits: 5, bias: 16, infinities: false, nan: 0x80 },
} as const satisfies Readonly<Record<string, Float8Format>>;

export type Float8Dtype = keyof typeof FORMATS;

/** Whether a safetensors dtype is an eight-bit float. */
export function isFloat8Dtype(dtype: string): dtype is Float8Dtype {
  return Object.hasOwn(FORMATS, dtype);
}

const tables = new Map<Float8Dtype, Uint16Array>();

/** The float16 bits of all 256 values. */
function tableOf(dtype: Float8Dtype): Uint16Array {
  const known = tables.get(dtype);
  if (known) return known;
  const table = Uint16Array.from({ length: 256 }, (_, bits) => halfOf(floatBitsOf(numberOf(bits, FORMATS[dtype]))));
  tables.set(dtype, table);
  return table;
}

function floatBitsOf(value: number): number {
  return new Int32Array(Float32Array.of(value).buffer)[0] ?? 0;
}

function numberOf(bits: number, { exponentBits, bias, infinities, nan }: Float8Format): number {
  const mantissaBits = 7 - exponentBits;
  const sign = bits & 0x80 ? -1 : 1;
  const exponent = (bits & 0x7f) >> mantissaBits;
  const mantissa = bits & ((1 << mantissaBits) - 1);
  if (infinities && exponent === (1 << exponentBits) - 1)
    return mantissa ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  if (bits === nan || (!infinities && nan < 0x80 && (bits & 0x7f) === nan)) return Number.NaN;
  if (exponent === 0) return (sign * mantissa * 2 ** (1 - bias)) / (1 << mantissaBits);
  return sign * (1 + mantissa / (1 << mantissaBits)) * 2 ** (exponent - bias);
}

/**
 * Eight-bit floats to float16 bits, exactly; NaN and infinities are kept.
 *
 * @param into where to; may be the memory whose end `bytes` is, since it is filled from the front on and never catches up
 * with what is still to be read
 */
export function float8ToHalves(bytes: Uint8Array, dtype: Float8Dtype, into: Uint16Array): Uint16Array {
  const table = tableOf(dtype);
  for (let i = 0; i < bytes.length; i++) into[i] = table[bytes[i] ?? 0] ?? 0;
  return into;
}
