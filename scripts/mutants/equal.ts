import { readFileSync } from 'node:fs';
import { keyOf, type Mutant } from './mutants.ts';

/** A mutant that computes the same as the file, as a person has judged. */
export interface EqualMutant {
  readonly file: string;
  /** The line as it is, without what it is indented by. */
  readonly text: string;
  /** `before -> after`; several where the same reason holds. */
  readonly faults: readonly string[];
  /** Which of the same faults in the line, from 1; all of them where nothing is said. */
  readonly nth?: number | undefined;
  readonly why: string;
}

/** The mutants that change nothing: equal.json. */
export class EqualMutants {
  readonly entries: readonly EqualMutant[];
  readonly #reasons = new Map<string, string>();

  constructor(entries: readonly EqualMutant[] = readEqual()) {
    this.entries = entries;
    for (const { file, text, faults, nth, why } of entries) {
      const numbers = nth === undefined ? Array.from({ length: 20 }, (_, index) => index + 1) : [nth];
      for (const fault of faults) {
        for (const each of numbers) this.#reasons.set(keyOf({ file, text, fault, nth: each }), why);
      }
    }
  }

  isEqual(mutant: Mutant): boolean {
    return this.#reasons.has(keyOf(mutant));
  }

  /** Entries with a fault that the files no longer have: the line has changed, and is to be judged anew. */
  stale(mutants: readonly Mutant[]): EqualMutant[] {
    const known = new Set(mutants.map(({ file, text, fault }) => `${file}\n${text}\n${fault}`));
    const files = new Set(mutants.map(({ file }) => file));
    return this.entries.filter(
      ({ file, text, faults }) => files.has(file) && !faults.every((fault) => known.has(`${file}\n${text}\n${fault}`)),
    );
  }
}

function readEqual(): EqualMutant[] {
  return JSON.parse(readFileSync(new URL('equal.json', import.meta.url), 'utf8'));
}
