import { Worker } from 'node:worker_threads';
import { messageOf, SlothfulError } from '../../../src/errors.ts';
import { MOST_PAGES } from './code.ts';
import { Kernel } from './kernel.ts';
import { type FuseTask, type Layout, layoutOf } from './layout.ts';

/** A task and its data. */
export interface FuseJob extends FuseTask {
  /** The rows as the checkpoint has them, little-endian. */
  readonly base: Uint8Array;
  /** [rows, rank], scale and alpha multiplied in. */
  readonly up: Float32Array;
  /** [rank, columns] */
  readonly down: Float32Array;
  /** Where the rows go as they will be stored; may be the memory of `base`. */
  readonly into: Uint8Array;
}

/** What a worker says when it is done: nothing, or the parts of an error. */
export type Reply = ConstructorParameters<typeof SlothfulError> | undefined;

/** Runs tasks on a memory, one at a time. */
interface Runner {
  run(task: FuseTask): Promise<void>;
  close(): Promise<void>;
}

const PAGE = 65536;

/** A kernel with a memory of its own, in this thread or in another, which computes one job after the other. */
export class Lane {
  private readonly memory = new WebAssembly.Memory({ initial: 1, maximum: MOST_PAGES, shared: true });
  private readonly runner: Runner;
  private last: Promise<void> = Promise.resolve();

  constructor(where: 'here' | 'thread') {
    this.runner = where === 'here' ? runHere(this.memory) : new Thread(this.memory);
  }

  /** Computes a job and writes `job.into`. @throws SlothfulError */
  run(job: FuseJob): Promise<void> {
    const done = this.last.then(() => this.compute(job));
    this.last = done.catch(() => undefined);
    return done;
  }

  close(): Promise<void> {
    return this.runner.close();
  }

  /** The data are copied into the lane's memory, since what travels between threads by messages costs far more. */
  private async compute({ base, up, down, into, ...task }: FuseJob): Promise<void> {
    const layout = layoutOf(task);
    this.reserve(layout, task.place);
    const { buffer } = this.memory;
    new Uint8Array(buffer, layout.base, base.length).set(base);
    new Float32Array(buffer, layout.up, up.length).set(up);
    new Float32Array(buffer, layout.down, down.length).set(down);
    await this.runner.run(task);
    into.set(new Uint8Array(buffer, layout.out, task.rows * layout.outBytes));
  }

  private reserve({ end }: Layout, place: string): void {
    const missing = Math.ceil((end - this.memory.buffer.byteLength) / PAGE);
    if (missing <= 0) return;
    try {
      this.memory.grow(missing);
    } catch (error) {
      const cure = 'close other programs, or convert it without LoRA';
      throw new SlothfulError('unsupported', place, `needs ${end} bytes at once`, cure, { cause: error });
    }
  }
}

function runHere(memory: WebAssembly.Memory): Runner {
  const kernel = new Kernel(memory);
  return { run: async (task) => kernel.fuse(task), close: async () => undefined };
}

/** The worker is compiled beside this file. Run from its source, a thread must be given the TypeScript loader anew. */
function startWorker(memory: WebAssembly.Memory): Worker {
  if (import.meta.url.endsWith('.js'))
    return new Worker(new URL('./worker.js', import.meta.url), { workerData: memory });
  const source = JSON.stringify(new URL('./worker.ts', import.meta.url).href);
  const start = `import('tsx/esm/api').then(({ register }) => { register(); return import(${source}); });`;
  return new Worker(start, { eval: true, workerData: memory });
}

class Thread implements Runner {
  private readonly worker: Worker;
  private waiting: { resolve(): void; reject(error: unknown): void } | undefined;
  private ended: string | undefined;

  constructor(memory: WebAssembly.Memory) {
    this.worker = startWorker(memory);
    this.worker.on('message', (reply: Reply) => this.settle(reply && new SlothfulError(...reply)));
    this.worker.on('error', (error) => this.end(messageOf(error)));
    this.worker.on('exit', (code) => this.end(`it ended with code ${code}`));
  }

  run(task: FuseTask): Promise<void> {
    return new Promise((resolve, reject) => {
      this.waiting = { resolve, reject };
      if (this.ended === undefined) this.worker.postMessage(task);
      else this.end(this.ended);
    });
  }

  async close(): Promise<void> {
    await this.worker.terminate();
  }

  private settle(error: SlothfulError | undefined): void {
    const waiting = this.waiting;
    this.waiting = undefined;
    if (error) waiting?.reject(error);
    else waiting?.resolve();
  }

  private end(problem: string): void {
    this.ended ??= problem;
    this.settle(new SlothfulError('bug', 'worker thread of the LoRA fusion', this.ended));
  }
}
