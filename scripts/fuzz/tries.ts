import fc from 'fast-check';
import { type Files, filesOf, type Plan, plansOf } from './plan.ts';
import type { Ready, Target } from './target.ts';

/** Tries of one target that are drawn together. */
export const BATCH = 100;

/** Which try: all that is needed to make its input again. */
export interface TryId {
  readonly target: string;
  readonly seed: number;
  /** Counted from 0 within the target. */
  readonly index: number;
}

/** A target with its bases. */
export async function readyTarget(target: Target): Promise<Ready> {
  return { target, bases: await target.bases() };
}

/** The plans of a batch: the same for the same seed, whatever was tried before. */
export function plansOfBatch({ target, bases }: Ready, seed: number, batch: number): Plan[] {
  return fc.sample(plansOf(bases), { seed: mixed(`${target.name} ${seed} ${batch}`), numRuns: BATCH });
}

/** The plan of a single try. */
export function planOf(ready: Ready, seed: number, index: number): Plan {
  const plan = plansOfBatch(ready, seed, Math.floor(index / BATCH))[index % BATCH];
  return plan ?? { base: 0, changes: [] };
}

/** The files that a plan makes. */
export function filesOfPlan({ bases }: Ready, { base, changes }: Plan): Files {
  return filesOf(bases[base] ?? {}, changes);
}

/** FNV-1a: neighbouring seeds and batches draw what has nothing to do with each other. */
function mixed(text: string): number {
  let hash = 0x811c9dc5;
  for (const letter of text) hash = Math.imul(hash ^ (letter.codePointAt(0) ?? 0), 0x01000193);
  return hash;
}

/**
 * A plan without the changes that the fault does not need.
 *
 * @param isFaulty tries it again
 */
export async function shortened(plan: Plan, isFaulty: (plan: Plan) => Promise<boolean>): Promise<Plan> {
  let found = plan;
  for (const change of plan.changes) {
    const without = { ...found, changes: found.changes.filter((each) => each !== change) };
    if (await isFaulty(without)) found = without;
  }
  return found;
}
