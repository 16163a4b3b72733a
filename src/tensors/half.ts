/** What `halfOf` returns for a finite value that float16 cannot hold. */
export const OVERFLOW = -1;

/** Float32 bits of 65,520, the smallest value that rounds to infinity in float16 (the largest half is 65,504). */
const FIRST_TOO_LARGE = 0x477ff000;
const INFINITY_BITS = 0x7f800000;
/** Float32 bits of 2^-14, the smallest normal half. */
const FIRST_NORMAL = 0x38800000;
/** Float32 bits of 2^-25, which ties between zero and the smallest half and so goes to zero. */
const LAST_ZERO = 0x33000000;
/** The biases of the exponents differ by 127 - 15. */
const REBIAS = 112;

function subnormalOf(magnitude: number): number {
  const shift = 126 - (magnitude >>> 23);
  const mantissa = (magnitude & 0x7fffff) | 0x800000;
  const half = mantissa >>> shift;
  const rest = mantissa & ((1 << shift) - 1);
  const tie = 1 << (shift - 1);
  return rest > tie || (rest === tie && half & 1) ? half + 1 : half;
}

function nonFiniteOf(magnitude: number): number {
  // A NaN whose payload sits in the low bits alone would otherwise become an infinity.
  return magnitude === INFINITY_BITS ? 0x7c00 : 0x7e00 | ((magnitude >>> 13) & 0x3ff);
}

/**
 * The float16 bits of a float32, rounded to nearest even; NaN and infinities are kept.
 *
 * @param bits the float32's bits
 * @returns 16 bits, or `OVERFLOW` for a finite value that rounds to infinity
 * Source: IEEE 754, roundTiesToEven.
 */
export function halfOf(bits: number): number {
  const sign = (bits >>> 16) & 0x8000;
  const magnitude = bits & 0x7fffffff;
  // One comparison finds the normal halves, which nearly all weights are: below FIRST_NORMAL it wraps around.
  if ((magnitude - FIRST_NORMAL) >>> 0 < FIRST_TOO_LARGE - FIRST_NORMAL) {
    return sign | ((magnitude - (REBIAS << 23) + 0xfff + ((magnitude >>> 13) & 1)) >>> 13);
  }
  if (magnitude < FIRST_NORMAL) return magnitude <= LAST_ZERO ? sign : sign | subnormalOf(magnitude);
  return magnitude < INFINITY_BITS ? OVERFLOW : sign | nonFiniteOf(magnitude);
}

/** The float32 bits of a float16, exactly, as a signed 32-bit number. */
export function floatOf(half: number): number {
  const sign = (half & 0x8000) << 16;
  const exponent = (half >>> 10) & 0x1f;
  const mantissa = half & 0x3ff;
  if (exponent === 0x1f) return sign | INFINITY_BITS | (mantissa << 13);
  if (exponent > 0) return sign | ((exponent + REBIAS) << 23) | (mantissa << 13);
  if (mantissa === 0) return sign;
  const lead = 31 - Math.clz32(mantissa);
  return sign | ((lead + 103) << 23) | ((mantissa << (23 - lead)) & 0x7fffff);
}

const scratch = new DataView(new ArrayBuffer(4));

/** The number that a float16 stands for. */
export function halfToFloat(half: number): number {
  scratch.setInt32(0, floatOf(half));
  return scratch.getFloat32(0);
}

/** The bfloat16 bits of a float32, rounded to nearest even; a NaN stays one. */
export function bfloatOf(bits: number): number {
  if ((bits & 0x7fffffff) > INFINITY_BITS) return (bits >>> 16) | 0x40;
  return ((bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16) & 0xffff;
}

let floats: Int32Array | undefined;
let halves: Int32Array | undefined;

/** Float32 bits (signed) of all 65,536 halves. */
export function floatTable(): Int32Array {
  floats ??= Int32Array.from({ length: 65536 }, (_, half) => floatOf(half));
  return floats;
}

/** Float16 bits (or `OVERFLOW`) of all 65,536 bfloat16 values, which are the upper halves of float32s. */
export function bfloatTable(): Int32Array {
  halves ??= Int32Array.from({ length: 65536 }, (_, upper) => halfOf(upper << 16));
  return halves;
}
