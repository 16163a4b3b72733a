const SIZE = 624;
const SHIFT = 397;
const UPPER = 0x80000000;
const LOWER = 0x7fffffff;
const TWIST = 0x9908b0df;

/**
 * The Mersenne Twister mt19937 (Matsumoto and Nishimura 1998), as torch and NumPy's `RandomState` run it on the CPU.
 *
 * @param seed its low 32 bits count: seeds that are 2^32 apart give the same words
 * @returns the next 32-bit word at each call
 */
export function mersenneTwister(seed: bigint): () => number {
  const state = seededState(Number(BigInt.asUintN(32, seed)));
  let next = SIZE;
  return () => {
    if (next === SIZE) {
      twist(state);
      next = 0;
    }
    return temper(state[next++] ?? 0);
  };
}

function seededState(seed: number): Uint32Array {
  const state = new Uint32Array(SIZE);
  let word = seed;
  for (let index = 0; index < SIZE; index++) {
    if (index > 0) word = (Math.imul(word ^ (word >>> 30), 1812433253) + index) | 0;
    state[index] = word;
  }
  return state;
}

/** Makes the next 624 words of state, in place: what is read beyond the end was made anew in the same pass. */
function twist(state: Uint32Array): void {
  for (let index = 0; index < SIZE; index++) {
    const mixed = ((state[index] ?? 0) & UPPER) | ((state[(index + 1) % SIZE] ?? 0) & LOWER);
    state[index] = (state[(index + SHIFT) % SIZE] ?? 0) ^ (mixed >>> 1) ^ (mixed & 1 ? TWIST : 0);
  }
}

function temper(value: number): number {
  let word = value ^ (value >>> 11);
  word ^= (word << 7) & 0x9d2c5680;
  word ^= (word << 15) & 0xefc60000;
  return (word ^ (word >>> 18)) >>> 0;
}
