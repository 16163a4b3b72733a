import type { Match } from '../matching/match.ts';
import type { Situation } from './place.ts';

/** A match and where it is. */
export interface Situated {
  readonly match: Match;
  readonly situation: Situation;
}

/** Counts of one transformer: its number among those of its block and level, and the attentions seen in it. */
interface Transformer {
  readonly attention: number;
  self: number;
  readonly cross: number[];
}

/**
 * Names the attentions, which come in the order of execution: `block.level.attention.transformer`, with `.cross` for
 * the cross-attention of the same transformer block (`.cross2` for a second one). The names depend on the topology only.
 */
export function nameSites(situated: readonly Situated[]): string[] {
  const transformers = new Map<string, Transformer>();
  const counts = new Map<string, number>();
  return situated.map(({ match, situation: { block, level, stage } }) => {
    const group = `${block}.${level}`;
    const key = `${group}.${stage}`;
    const attention = counts.get(group) ?? 0;
    const transformer = transformers.get(key) ?? { attention, self: 0, cross: [] };
    if (!transformers.has(key)) counts.set(group, attention + 1);
    transformers.set(key, transformer);
    const prefix = `${group}.${transformer.attention}`;
    return match.inputs.kind === 'self' ? `${prefix}.${transformer.self++}` : crossName(prefix, transformer);
  });
}

/** A cross-attention belongs to the self-attention before it. */
function crossName(prefix: string, { self, cross }: Transformer): string {
  const block = Math.max(0, self - 1);
  const count = (cross[block] ?? 0) + 1;
  cross[block] = count;
  return `${prefix}.${block}.cross${count > 1 ? count : ''}`;
}

/** The longest name scope (up to a "/") that names share; the first name where they share none. */
export function sharedScope(names: readonly string[]): string {
  const [first = [], ...others] = names.map((name) => name.split('/').slice(0, -1));
  const shared = [...first];
  for (const parts of others) {
    const end = shared.findIndex((part, index) => part !== parts[index]);
    if (end >= 0) shared.length = end;
  }
  return shared.length ? shared.join('/') : (names[0] ?? '');
}
