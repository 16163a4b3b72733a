import { SlothfulError } from '../errors.ts';

/**
 * What of a self-attention a pass can change or rely on: the inputs of its queries, keys and values, which tokens there
 * are, and that they are the pixels of a grid.
 */
export type AttentionPart = 'query' | 'key' | 'value' | 'tokens' | 'grid';

const PARTS: readonly AttentionPart[] = ['query', 'key', 'value', 'tokens', 'grid'];

const NAMES: Readonly<Record<AttentionPart, string>> = {
  query: 'the queries',
  key: 'the keys',
  value: 'the values',
  tokens: 'the tokens',
  grid: 'the grid of the tokens',
};

/** What a pass does to self-attentions. A pass without effects leaves them alone. */
export interface Effects {
  readonly changes: readonly AttentionPart[];
  /** What must be as the UNet made it, when the pass is applied and ever after. */
  readonly needs: readonly AttentionPart[];
}

/** A pass by name, with its effects. */
export interface Effective {
  readonly name: string;
  readonly effects?: Effects | undefined;
}

/** Reads effects that a model records; undefined where there are none. Parts of later versions are left out. */
export function readEffects(value: unknown): Effects | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const list = (names: unknown) => (Array.isArray(names) ? PARTS.filter((part) => names.includes(part)) : []);
  return {
    changes: list('changes' in value ? value.changes : undefined),
    needs: list('needs' in value ? value.needs : undefined),
  };
}

/**
 * Refuses a pass that cannot follow one that a model has been through: both change the same part, or one changes what the
 * other needs. A second application of the same pass is that pass's own affair.
 *
 * @throws SlothfulError `unsupported` naming both passes and the part
 */
export function checkCompatible(earlier: Effective, later: Effective): void {
  if (earlier.name === later.name || !earlier.effects || !later.effects) return;
  const [first, second] = [earlier.effects, later.effects];
  const both = second.changes.find((part) => first.changes.includes(part));
  const taken = second.needs.find((part) => first.changes.includes(part));
  const spoilt = second.changes.find((part) => first.needs.includes(part));
  if (both) refuse(earlier, later, `both change ${NAMES[both]} of the self-attentions`);
  if (taken)
    refuse(earlier, later, `"${earlier.name}" changed ${NAMES[taken]}, which "${later.name}" needs as they were`);
  if (spoilt)
    refuse(earlier, later, `"${later.name}" changes ${NAMES[spoilt]}, which "${earlier.name}" needs as they were`);
}

function refuse(earlier: Effective, later: Effective, problem: string): never {
  const place = `pass "${later.name}" after "${earlier.name}"`;
  throw new SlothfulError('unsupported', place, problem, 'take a model without the other pass, and apply one of them');
}
