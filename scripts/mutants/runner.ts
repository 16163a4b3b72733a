import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface, type Interface } from 'node:readline';
import type { Readable } from 'node:stream';
import type { Order, Verdict } from './child/run.ts';
import type { Copy } from './copy.ts';

/** A process that runs tests of a copy, started when it is first asked, and anew when it has ended. */
export class Runner {
  readonly #copy: Copy;
  #child: ChildProcess | undefined;
  #lines: Interface | undefined;
  /** How many orders the process that is running has had. */
  age = 0;

  constructor(copy: Copy) {
    this.#copy = copy;
    process.once('exit', () => this.end());
  }

  /**
   * Runs tests until one fails.
   *
   * @param wallMs how long they may take, for what waits for ever and takes no processor
   * @returns undefined where the process ended, or had to be ended
   */
  async run(order: Order, wallMs: number): Promise<Verdict | undefined> {
    const { child, lines } = this.#started();
    this.age++;
    const timer = setTimeout(() => child.kill('SIGKILL'), wallMs);
    const line = await new Promise<string | undefined>((resolve) => {
      const gone = () => resolve(undefined);
      child.once('close', gone);
      lines.once('line', (said: string) => {
        child.off('close', gone);
        resolve(said);
      });
      child.stdin?.write(`${JSON.stringify(order)}\n`);
    });
    clearTimeout(timer);
    if (line === undefined) this.end();
    return line === undefined ? undefined : JSON.parse(line);
  }

  /** The next order is run by a new process. */
  end(): void {
    this.#child?.kill('SIGKILL');
    this.#child = undefined;
    this.age = 0;
  }

  #started(): { child: ChildProcess; lines: Interface } {
    if (this.#child && this.#lines) return { child: this.#child, lines: this.#lines };
    const args = ['--max-old-space-size=3072', this.#copy.pathOf('scripts/mutants/child/run.ts')];
    const env = { ...process.env, NO_COLOR: '1', FORCE_COLOR: '0', TMPDIR: this.#copy.emptyFolder() };
    const child = spawn(process.execPath, args, { env, stdio: ['pipe', 'ignore', 'ignore', 'pipe'] });
    // A process that is gone is known by its end.
    child.stdin?.on('error', () => undefined);
    child.once('close', () => {
      if (this.#child === child) this.end();
    });
    this.#child = child;
    this.#lines = createInterface({ input: child.stdio[3] as Readable });
    return { child, lines: this.#lines };
  }
}
