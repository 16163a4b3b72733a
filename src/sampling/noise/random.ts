/** Four 32-bit words. */
export type Words = readonly [number, number, number, number];

const ROUNDS = 10;
const MULTIPLIERS = [0xd2511f53, 0xcd9e8d57] as const;
const WEYL = [0x9e3779b9, 0xbb67ae85] as const;

/**
 * Philox4x32-10 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3"): four random words that depend on
 * nothing but a counter and a key, so that every number of a stream can be had without those before it.
 */
export function philox(counter: Words, key: readonly [number, number]): Words {
  let [a, b, c, d] = counter;
  let [k0, k1] = key;
  for (let round = 0; round < ROUNDS; round++) {
    const high0 = multiplyHigh(MULTIPLIERS[0], a);
    const high1 = multiplyHigh(MULTIPLIERS[1], c);
    const [low0, low1] = [Math.imul(MULTIPLIERS[0], a), Math.imul(MULTIPLIERS[1], c)];
    [a, b, c, d] = [high1 ^ b ^ k0, low1, high0 ^ d ^ k1, low0];
    k0 = (k0 + WEYL[0]) | 0;
    k1 = (k1 + WEYL[1]) | 0;
  }
  return [a >>> 0, b >>> 0, c >>> 0, d >>> 0];
}

/** The upper 32 bits of the product of two unsigned words, by halves: a double cannot hold the product. */
function multiplyHigh(x: number, y: number): number {
  const [xh, xl, yh, yl] = [x >>> 16, x & 0xffff, y >>> 16, y & 0xffff];
  const middle = xh * yl + Math.floor((xl * yl) / 0x10000);
  const carry = (middle % 0x10000) + xl * yh;
  return (xh * yh + Math.floor(middle / 0x10000) + Math.floor(carry / 0x10000)) | 0;
}

/**
 * Two independent standard normal values of two uniform ones, by Box and Muller.
 *
 * Logarithm, sine and cosine are made here of + - * / and square root alone: IEEE 754 rounds these the same
 * everywhere, while every engine's `Math.log` and `Math.cos` differ in the last bits. So a seed gives one picture.
 *
 * @param u above 0, at most 1
 * @param v 0 to below 1
 */
export function gaussianPair(u: number, v: number): [number, number] {
  const radius = Math.sqrt(-2 * logarithm(u));
  const quarter = Math.round(4 * v);
  const angle = (4 * v - quarter) * (Math.PI / 2);
  const [sine, cosine] = [sineOf(angle), cosineOf(angle)];
  const turned = [
    [cosine, sine],
    [-sine, cosine],
    [-cosine, -sine],
    [sine, -cosine],
  ][quarter % 4] ?? [0, 0];
  return [radius * (turned[0] ?? 0), radius * (turned[1] ?? 0)];
}

const SQRT_HALF = Math.SQRT1_2;

/** Natural logarithm of a normal double above 0: powers of two are taken out, the rest is 2 atanh((m - 1) / (m + 1)). */
export function logarithm(value: number): number {
  let mantissa = value;
  let exponent = 0;
  for (; mantissa < SQRT_HALF; exponent--) mantissa *= 2;
  for (; mantissa > 2 * SQRT_HALF; exponent++) mantissa /= 2;
  const ratio = (mantissa - 1) / (mantissa + 1);
  const square = ratio * ratio;
  let sum = 0;
  for (let power = 23; power >= 1; power -= 2) sum = sum * square + 1 / power;
  return 2 * ratio * sum + exponent * Math.LN2;
}

/** Taylor's series; to double precision within +-pi/4. */
function sineOf(angle: number): number {
  const square = angle * angle;
  let factor = 1;
  for (let n = 18; n >= 2; n -= 2) factor = 1 - (factor * square) / (n * (n + 1));
  return angle * factor;
}

/** Taylor's series; to double precision within +-pi/4. */
function cosineOf(angle: number): number {
  const square = angle * angle;
  let factor = 1;
  for (let n = 18; n >= 2; n -= 2) factor = 1 - (factor * square) / (n * (n - 1));
  return factor;
}
