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
