/** A thread that computes parts of tasks: the end that asks, and the end that answers. */
import { parentPort, Worker, workerData } from 'node:worker_threads';
import { messageOf, SlothfulError } from '../../../src/errors.ts';
import { Kernel, type Share } from './kernel.ts';
import type { FuseTask, MemoryLayout } from './layout.ts';

/** One thread's part of a task, in one of the memories that it was given. */
export interface ThreadJob {
  readonly memory: number;
  readonly task: FuseTask;
  readonly layout: MemoryLayout;
  readonly share: Share;
}

/** What a thread says when it is done: nothing, or the parts of an error. */
type Reply = ConstructorParameters<typeof SlothfulError> | undefined;

/** Starts a thread that runs `serve` of this module. Run from its source, it must be given the TypeScript loader anew. */
function startWorker(memories: readonly WebAssembly.Memory[]): Worker {
  const serving = `import(${JSON.stringify(import.meta.url)}).then(({ serve }) => serve())`;
  const isSource = import.meta.url.endsWith('.ts');
  const start = isSource ? `import('tsx/esm/api').then(({ register }) => { register(); return ${serving}; })` : serving;
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

function kernelOf(memory: unknown): Kernel {
  if (memory instanceof WebAssembly.Memory) return new Kernel(memory);
  throw new TypeError('a thread needs the memories of its pool');
}

function answer(kernels: readonly Kernel[], { memory, task, layout, share }: ThreadJob): Reply {
  try {
    kernels[memory]?.fuse(task, layout, share);
    return undefined;
  } catch (error) {
    if (!(error instanceof SlothfulError)) return ['bug', task.place, messageOf(error)];
    return [error.code, error.place, error.problem, error.cure];
  }
}

/** The other end of a `Thread`, in that thread: computes what comes, and says when it is done. */
export function serve(): void {
  const kernels = Array.isArray(workerData) ? workerData.map(kernelOf) : [];
  parentPort?.on('message', (job: ThreadJob) => parentPort?.postMessage(answer(kernels, job)));
}
