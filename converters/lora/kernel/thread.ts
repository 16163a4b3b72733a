import { Worker } from 'node:worker_threads';
import { messageOf, SlothfulError } from '../../../src/errors.ts';
import type { Share } from './kernel.ts';
import type { FuseTask, Layout } from './layout.ts';

/** One thread's part of a task, in one of the memories that it was given. */
export interface ThreadJob {
  readonly memory: number;
  readonly task: FuseTask;
  readonly layout: Layout;
  readonly share: Share;
}

/** What a thread says when it is done: nothing, or the parts of an error. */
export type Reply = ConstructorParameters<typeof SlothfulError> | undefined;

/** The worker is compiled beside this file. Run from its source, a thread must be given the TypeScript loader anew. */
function startWorker(memories: readonly WebAssembly.Memory[]): Worker {
  if (import.meta.url.endsWith('.js'))
    return new Worker(new URL('./worker.js', import.meta.url), { workerData: memories });
  const source = JSON.stringify(new URL('./worker.ts', import.meta.url).href);
  const start = `import('tsx/esm/api').then(({ register }) => { register(); return import(${source}); });`;
  return new Worker(start, { eval: true, workerData: memories });
}

/** A thread that computes parts of tasks, one after the other, in memories that it shares with this one. */
export class Thread {
  private readonly worker: Worker;
  private readonly waiting: { resolve(): void; reject(error: unknown): void }[] = [];
  private ended: string | undefined;

  constructor(memories: readonly WebAssembly.Memory[]) {
    this.worker = startWorker(memories);
    this.worker.on('message', (reply: Reply) => this.settle(reply && new SlothfulError(...reply)));
    this.worker.on('error', (error) => this.end(messageOf(error)));
    this.worker.on('exit', (code) => this.end(`it ended with code ${code}`));
  }

  /** @throws SlothfulError */
  run(job: ThreadJob): Promise<void> {
    return new Promise((resolve, reject) => {
      this.waiting.push({ resolve, reject });
      if (this.ended === undefined) this.worker.postMessage(job);
      else this.end(this.ended);
    });
  }

  async close(): Promise<void> {
    await this.worker.terminate();
  }

  private settle(error: SlothfulError | undefined): void {
    const first = this.waiting.shift();
    if (error) first?.reject(error);
    else first?.resolve();
  }

  private end(problem: string): void {
    this.ended ??= problem;
    while (this.waiting.length) this.settle(new SlothfulError('bug', 'worker thread of the LoRA fusion', this.ended));
  }
}
