import type { PassStep } from './definition.ts';

/**
 * A number in [0, 1) that a pass may choose by: the same for the same run, step and key, and of no relation to any other.
 *
 * @param key what it is for, such as the id of a site
 */
export function uniform(
  { seed = 0, stepIndex = 0 }: Pick<PassStep<unknown>, 'seed' | 'stepIndex'>,
  key: string,
): number {
  let hash = 0x811c9dc5;
  for (const character of `${seed}/${stepIndex}/${key}`) {
    hash = Math.imul(hash ^ (character.codePointAt(0) ?? 0), 0x01000193);
  }
  return mixed(hash) / 2 ** 32;
}

/** Spreads a hash over 32 bits. Source: the finalizer of MurmurHash3 (Austin Appleby, public domain). */
function mixed(hash: number): number {
  const first = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  const second = Math.imul(first ^ (first >>> 13), 0xc2b2ae35);
  return (second ^ (second >>> 16)) >>> 0;
}
