import { isObject } from '../../src/graph/index.ts';

/** What a run of a whole pipeline spends its time on; `rest` is all that its record does not name. */
export const RUN_SHARES = ['load', 'encode', 'denoise', 'decode', 'rest'] as const;
export type RunShare = (typeof RUN_SHARES)[number];

/** How the record of a run calls what it computes; what it loads begins with "load". */
const COMPUTED: Readonly<Record<string, RunShare>> = { text: 'encode', denoise: 'denoise', decode: 'decode' };

/**
 * Seconds of each share of a run.
 *
 * @param record the parsed run.json
 * @param seconds of the whole run
 * @throws Error where the record tells no phases
 */
export function runShares(record: unknown, seconds: number): Record<RunShare, number> {
  const shares = { load: 0, encode: 0, denoise: 0, decode: 0, rest: seconds };
  for (const { name, milliseconds } of phasesOf(record)) {
    const share = name.startsWith('load') ? 'load' : COMPUTED[name];
    if (share === undefined) continue;
    shares[share] += milliseconds / 1000;
    shares.rest -= milliseconds / 1000;
  }
  return shares;
}

function phasesOf(record: unknown): { readonly name: string; readonly milliseconds: number }[] {
  const phases: unknown[] = isObject(record) && Array.isArray(record.phases) ? record.phases : [];
  const found = phases.flatMap((phase) => {
    const { name, milliseconds } = isObject(phase) ? phase : {};
    return typeof name === 'string' && typeof milliseconds === 'number' ? [{ name, milliseconds }] : [];
  });
  if (found.length) return found;
  throw new Error('the record of a run tells no phases');
}
