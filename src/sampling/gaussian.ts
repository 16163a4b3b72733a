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
