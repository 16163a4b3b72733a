/** torchsde asks for it; NumPy's own default is 4. */
const POOL = 24;

/**
 * The first 32-bit word of NumPy's `SeedSequence(entropy, pool_size=24, spawn_key=...)`, which makes independent seeds of
 * one. Source: numpy/random/bit_generator.pyx.
 *
 * @param entropy 0 to 2^64 - 1
 * @param spawnKey whole numbers from 0; none for the sequence itself
 */
export function seedSequenceWord(entropy: bigint, spawnKey: readonly number[]): number {
  const pool = mixedPool(entropy, spawnKey);
  return hasher(0x8b51f9dd, 0x58f38ded)(pool[0] ?? 0) >>> 0;
}

function mixedPool(entropy: bigint, spawnKey: readonly number[]): Uint32Array {
  const pool = new Uint32Array(POOL);
  const hash = hasher(0x43b0d7e5, 0x931e8875);
  pool[0] = Number(BigInt.asUintN(32, entropy));
  pool[1] = Number(BigInt.asUintN(32, entropy >> 32n));
  for (let index = 0; index < POOL; index++) pool[index] = hash(pool[index] ?? 0);
  for (let source = 0; source < POOL; source++) {
    for (let index = 0; index < POOL; index++) {
      if (index !== source) pool[index] = mix(pool[index] ?? 0, hash(pool[source] ?? 0));
    }
  }
  for (const word of spawnKey.flatMap(wordsOf)) {
    for (let index = 0; index < POOL; index++) pool[index] = mix(pool[index] ?? 0, hash(word));
  }
  return pool;
}

function wordsOf(value: number): number[] {
  return value < 2 ** 32 ? [value] : [value >>> 0, Math.floor(value / 2 ** 32)];
}

/** A hash whose constant goes on with every call, so that the same word gives another value each time. */
function hasher(start: number, multiplier: number): (word: number) => number {
  let constant = start;
  return (word) => {
    const flipped = word ^ constant;
    constant = Math.imul(constant, multiplier);
    const value = Math.imul(flipped, constant);
    return value ^ (value >>> 16);
  };
}

function mix(x: number, y: number): number {
  const value = (Math.imul(0xca01f9dd, x) - Math.imul(0x4973f715, y)) | 0;
  return value ^ (value >>> 16);
}
