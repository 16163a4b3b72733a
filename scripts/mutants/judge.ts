import { type ChildProcess, spawn } from 'node:child_process';
import type { Readable } from 'node:stream';
import { SlothfulError } from '../../src/errors.ts';
import type { Verdict } from './child/run.ts';
import type { Copy } from './copy.ts';
import { type Mutant, mutatedText } from './mutants.ts';

/** What became of a mutant. Those that are no TypeScript are no mutants. */
export type Fate = 'noticed' | 'hung' | 'survived' | 'untested' | 'invalid';

export interface Judged {
  readonly mutant: Mutant;
  readonly fate: Fate;
  /** The test that noticed it. */
  readonly by?: string | undefined;
}

/** How long tests may take: a multiple of what they take without a fault, and a while for a machine that is busy. */
const PATIENCE = { cpuFactor: 4, cpuSeconds: 6, wallFactor: 8, wallMs: 60_000 } as const;

/** The tests of a room in a copy of the project, told of one mutant after the other. */
export class Judge {
  readonly #copy: Copy;
  readonly #tests: readonly string[];
  readonly #reached: ReadonlyMap<string, ReadonlySet<string>>;
  /** How often each test file was the one that noticed: it is run first. */
  readonly #noticed = new Map<string, number>();
  #limits = { cpuSeconds: 600, wallMs: 1_800_000 };

  constructor(copy: Copy, tests: readonly string[]) {
    this.#copy = copy;
    this.#tests = tests;
    this.#reached = new Map(tests.map((test) => [test, copy.reached(test)]));
  }

  /**
   * Runs the tests without a fault.
   *
   * @throws SlothfulError `usage` where they fail
   */
  async check(): Promise<void> {
    const began = performance.now();
    const verdict = await this.#run(this.#tests);
    if (verdict?.failed !== undefined || !verdict?.passed) {
      const what = verdict ? `${verdict.test}: ${verdict.error}` : 'the process ended';
      throw new SlothfulError('usage', verdict?.failed ?? 'the tests', `fail without a fault: ${what}`);
    }
    this.#limits = {
      cpuSeconds: Math.ceil(verdict.cpuSeconds * PATIENCE.cpuFactor + PATIENCE.cpuSeconds),
      wallMs: (performance.now() - began) * PATIENCE.wallFactor + PATIENCE.wallMs,
    };
  }

  async judge(mutant: Mutant): Promise<Judged> {
    const tests = this.#testsOf(mutant.file);
    if (!tests.length) return { mutant, fate: 'untested' };
    if (!this.#copy.change(mutant.file, mutatedText(mutant))) return { mutant, fate: 'invalid' };
    try {
      const verdict = await this.#run(tests);
      if (!verdict) return { mutant, fate: 'hung' };
      if (verdict.failed === undefined) return { mutant, fate: 'survived' };
      const test = tests.find((each) => this.#copy.pathOf(each) === verdict.failed);
      const key = `${mutant.file}\n${test}`;
      this.#noticed.set(key, (this.#noticed.get(key) ?? 0) + 1);
      return { mutant, fate: 'noticed', by: `${test}: ${verdict.test}` };
    } finally {
      this.#copy.restore(mutant.file);
    }
  }

  #testsOf(file: string): string[] {
    const count = (test: string) => this.#noticed.get(`${file}\n${test}`) ?? 0;
    const tests = this.#tests.filter((test) => this.#reached.get(test)?.has(file));
    return tests.sort((a, b) => count(b) - count(a));
  }

  /** @returns undefined where the process did not end by itself in its time */
  async #run(tests: readonly string[]): Promise<Verdict | undefined> {
    const child = this.#spawn(tests.map((test) => this.#copy.pathOf(test)));
    const timer = setTimeout(() => child.kill('SIGKILL'), this.#limits.wallMs);
    const pipe = child.stdio[3] as Readable;
    let said = '';
    pipe.on('data', (chunk: Buffer) => {
      said += chunk;
    });
    await new Promise((resolve) => child.on('close', resolve));
    clearTimeout(timer);
    return said ? JSON.parse(said) : undefined;
  }

  #spawn(tests: readonly string[]): ChildProcess {
    const args = ['--max-old-space-size=2048', this.#copy.pathOf('scripts/mutants/child/run.ts'), ...tests];
    const env = { ...process.env, NO_COLOR: '1', FORCE_COLOR: '0', TMPDIR: this.#copy.emptyFolder() };
    const stdio = ['ignore', 'ignore', 'ignore', 'pipe'] as const;
    if (process.platform === 'win32') return spawn(process.execPath, args, { env, stdio: [...stdio] });
    // The shell's limit is of processor time: a loop without an end is told from a machine that is busy.
    const command = `ulimit -t ${this.#limits.cpuSeconds}; exec "$@"`;
    return spawn('sh', ['-c', command, 'sh', process.execPath, ...args], { env, stdio: [...stdio] });
  }
}
