import { SlothfulError } from '../../errors.ts';

/** A seed as a program may give it: numbers are exact to 2^53 - 1, and other programs draw seeds up to 2^64 - 1. */
export type Seed = number | bigint;

export const LARGEST_SEED = 2n ** 64n - 1n;

/**
 * A seed of a number, a bigint or decimal digits.
 *
 * @param place what the seed is called where it was given
 * @throws SlothfulError `bad-parameter` where it is no whole number from 0 to 2^64 - 1, or a number above 2^53 - 1, whose
 *   last digits may be lost already
 */
export function parseSeed(value: unknown, place: string): bigint {
  const seed = wholeNumber(value, place);
  if (seed !== undefined && seed >= 0n && seed <= LARGEST_SEED) return seed;
  const shown = typeof value === 'string' ? JSON.stringify(value) : String(value);
  throw new SlothfulError('bad-parameter', place, `must be a whole number from 0 to ${LARGEST_SEED}, got ${shown}`);
}

function wholeNumber(value: unknown, place: string): bigint | undefined {
  if (typeof value === 'bigint') return value;
  if (typeof value === 'string') return /^\d{1,20}$/.test(value) ? BigInt(value) : undefined;
  if (typeof value !== 'number' || !Number.isInteger(value)) return undefined;
  if (value <= Number.MAX_SAFE_INTEGER) return BigInt(value);
  const problem = `${value} is above 2^53 - 1, where a number does not hold every digit`;
  throw new SlothfulError('bad-parameter', place, problem, 'give it as text or as a bigint');
}

/** A seed's decimal digits, as documents and file names have it. */
export function seedText(seed: bigint): string {
  return seed.toString();
}
