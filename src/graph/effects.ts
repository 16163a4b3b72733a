import { SlothfulError } from '../errors.ts';

/** What a pass does to the parts of a model, by names that the passes agree on. A pass without effects leaves them alone. */
export interface Effects {
  /** What it makes another thing of, alone. */
  readonly changes: readonly string[];
  /** What must be as it was made, when the pass is applied and ever after. */
  readonly needs: readonly string[];
  /** What it adds to, beside others that do. */
  readonly adds?: readonly string[];
  /** Passes by name that it is made to go together with, whatever both change. */
  readonly joins?: readonly string[];
}

/** A pass by name, with its effects. */
export interface Effective {
  readonly name: string;
  readonly effects?: Effects | undefined;
}

/** Reads effects that a model records; undefined where there are none. */
export function readEffects(value: unknown): Effects | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const list = (names: unknown) => (Array.isArray(names) ? names.filter((name) => typeof name === 'string') : []);
  return {
    changes: list('changes' in value ? value.changes : undefined),
    needs: list('needs' in value ? value.needs : undefined),
    adds: list('adds' in value ? value.adds : undefined),
    joins: list('joins' in value ? value.joins : undefined),
  };
}

/**
 * Refuses a pass that cannot follow one that a model has been through: both change the same part, one changes what the other
 * adds to, or one changes or adds to what the other needs. A second application of the same pass is that pass's own affair.
 *
 * @throws SlothfulError `unsupported` naming both passes and the part
 */
export function checkCompatible(earlier: Effective, later: Effective): void {
  if (earlier.name === later.name || !earlier.effects || !later.effects) return;
  const [first, second] = [earlier.effects, later.effects];
  if (first.joins?.includes(later.name) || second.joins?.includes(earlier.name)) return;
  const touched = ({ changes, adds = [] }: Effects) => [...changes, ...adds];
  const both =
    second.changes.find((part) => touched(first).includes(part)) ??
    first.changes.find((part) => touched(second).includes(part));
  const taken = second.needs.find((part) => touched(first).includes(part));
  const spoilt = touched(second).find((part) => first.needs.includes(part));
  const place = `pass "${later.name}" after "${earlier.name}"`;
  if (both) refuse(place, `both change "${both}"`);
  if (taken) refuse(place, `"${earlier.name}" changed "${taken}", which "${later.name}" needs as it was`);
  if (spoilt) refuse(place, `"${later.name}" changes "${spoilt}", which "${earlier.name}" needs as it was`);
}

function refuse(place: string, problem: string): never {
  throw new SlothfulError('unsupported', place, problem, 'take a model without the other pass, and apply one of them');
}
