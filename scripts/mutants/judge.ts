import { SlothfulError } from '../../src/errors.ts';
import type { Verdict } from './child/run.ts';
import type { Copy } from './copy.ts';
import { type Mutant, mutatedText } from './mutants.ts';
import { Runner } from './runner.ts';

/** What became of a mutant. Those that are no TypeScript are no mutants. */
export type Fate = 'noticed' | 'hung' | 'survived' | 'untested' | 'invalid';

export interface Judged {
  readonly mutant: Mutant;
  readonly fate: Fate;
  /** The test that noticed it. */
  readonly by?: string | undefined;
}

/** How long tests may take: a multiple of what they take without a fault, and a while for a machine that is busy. */
const PATIENCE = { factor: 4, cpuSeconds: 5, wallMs: 60_000 } as const;
const FIRST = { cpuSeconds: 600, wallMs: 1_800_000 } as const;
/** So many orders does a process take; modules are never unloaded. */
const OLD = 60;

interface Limits {
  readonly cpuSeconds: number;
  readonly wallMs: number;
}

/** The tests of a room in a copy of the project, told of one mutant after the other. */
export class Judge {
  readonly #copy: Copy;
  readonly #tests: readonly string[];
  readonly #runner: Runner;
  /** How often each test file was the one that noticed: it is run first. */
  readonly #noticed = new Map<string, number>();
  readonly #limits = new Map<string, Limits>();

  constructor(copy: Copy, tests: readonly string[]) {
    this.#copy = copy;
    this.#tests = tests;
    this.#runner = new Runner(copy);
  }

  /** @throws SlothfulError `usage` where the tests fail without a fault */
  async judge(mutant: Mutant): Promise<Judged> {
    const { file } = mutant;
    const tests = this.#testsOf(file);
    if (!tests.length) return { mutant, fate: 'untested' };
    const limits = this.#limits.get(file) ?? (await this.#measure(file, tests));
    this.#limits.set(file, limits);
    const judged = await this.#try(mutant, tests, limits);
    if (judged.fate === 'noticed') this.#count(file, judged.by);
    return judged;
  }

  /** To be called when there are no more mutants. */
  end(): void {
    this.#runner.end();
  }

  async #try(mutant: Mutant, tests: readonly string[], limits: Limits): Promise<Judged> {
    const { file } = mutant;
    if (this.#runner.age >= OLD) this.#runner.end();
    const isUsed = this.#runner.age > 0;
    const verdict = await this.#run(file, mutatedText(mutant), tests, limits);
    if (verdict === 'invalid') return { mutant, fate: 'invalid' };
    // A process that is gone may have been ended by what went before, too: only a new one is believed.
    if (!verdict) return isUsed ? this.#try(mutant, tests, limits) : { mutant, fate: 'hung' };
    if (verdict.failed === undefined) return { mutant, fate: 'survived' };
    // What the orders before left in the process may be what failed: then the tests fail without a fault too.
    if (isUsed && !(await this.#stillPass(file, verdict, tests, limits))) return this.#try(mutant, tests, limits);
    const test = tests.find((each) => this.#copy.isVariant(each, verdict.failed ?? ''));
    return { mutant, fate: 'noticed', by: `${test}: ${verdict.test}` };
  }

  /** Whether the file whose test failed passes in the same process without the fault; where not, the process is ended. */
  async #stillPass(file: string, { failed = '' }: Verdict, tests: readonly string[], limits: Limits): Promise<boolean> {
    const test = tests.filter((each) => this.#copy.isVariant(each, failed));
    const again = await this.#run(file, this.#copy.textOf(file), test, limits);
    if (again && again !== 'invalid' && again.failed === undefined) return true;
    this.#runner.end();
    return false;
  }

  /** Runs the tests without a fault, and tells how long they may take with one. */
  async #measure(file: string, tests: readonly string[]): Promise<Limits> {
    const began = performance.now();
    this.#runner.end();
    const verdict = await this.#run(file, this.#copy.textOf(file), tests, FIRST);
    if (!verdict || verdict === 'invalid' || verdict.failed !== undefined || !verdict.passed) {
      const what = verdict && verdict !== 'invalid' ? `${verdict.test}: ${verdict.error}` : 'the process ended';
      throw new SlothfulError('usage', file, `its tests fail without a fault: ${what}`);
    }
    return {
      cpuSeconds: Math.ceil(verdict.cpuSeconds * PATIENCE.factor + PATIENCE.cpuSeconds),
      wallMs: (performance.now() - began) * PATIENCE.factor + PATIENCE.wallMs,
    };
  }

  async #run(file: string, text: string, tests: readonly string[], limits: Limits) {
    const variant = this.#copy.variant(file, text, tests);
    if (!variant) return 'invalid' as const;
    try {
      return await this.#runner.run({ tests: variant.tests, cpuSeconds: limits.cpuSeconds }, limits.wallMs);
    } finally {
      variant.remove();
    }
  }

  #testsOf(file: string): string[] {
    const count = (test: string) => this.#noticed.get(`${file}\n${test}`) ?? 0;
    const tests = this.#tests.filter((test) => this.#copy.reached(test).has(file));
    return tests.sort((a, b) => count(b) - count(a));
  }

  #count(file: string, by = ''): void {
    const key = `${file}\n${by.slice(0, by.indexOf(':'))}`;
    this.#noticed.set(key, (this.#noticed.get(key) ?? 0) + 1);
  }
}
