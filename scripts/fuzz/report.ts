import { causeOf } from './verdict.ts';
import type { Outcome } from './watch.ts';

interface Tally {
  tries: number;
  taken: number;
  faults: number;
}

interface Cause {
  count: number;
  readonly first: Outcome;
}

/** What came of the tries of a run. */
export class FuzzReport {
  readonly #tallies = new Map<string, Tally>();
  readonly #causes = new Map<string, Cause>();

  add(outcome: Outcome): void {
    const { id, verdict } = outcome;
    const tally = this.#tallies.get(id.target) ?? { tries: 0, taken: 0, faults: 0 };
    this.#tallies.set(id.target, tally);
    tally.tries++;
    if (verdict === 'taken') tally.taken++;
    if (typeof verdict !== 'object') return;
    tally.faults++;
    const cause = causeOf(id.target, verdict);
    const known = this.#causes.get(cause);
    if (known) known.count++;
    else this.#causes.set(cause, { count: 1, first: outcome });
  }

  get tries(): number {
    return [...this.#tallies.values()].reduce((sum, { tries }) => sum + tries, 0);
  }

  /** Faults of different causes. */
  get faults(): number {
    return this.#causes.size;
  }

  /** A line a target, and some a fault. */
  lines(): string[] {
    const targets = [...this.#tallies].map(([name, { tries, taken, faults }]) => {
      const refused = tries - taken - faults;
      return `${name.padEnd(14)} ${tries} tries: ${taken} taken, ${refused} refused, ${faults} at fault`;
    });
    const causes = [...this.#causes].flatMap(([cause, { count, first }]) => {
      const { id, verdict, file } = first;
      const detail = typeof verdict === 'object' ? verdict.detail : '';
      const how = file === undefined ? `--seed ${id.seed}, try ${id.index}` : `--replay ${file}`;
      return ['', `${cause} (${count} times): ${how}`, ...detail.split('\n').map((line) => `  ${line}`)];
    });
    return [...targets, ...causes, '', `${this.tries} tries, ${this.faults} faults of different causes`];
  }
}
