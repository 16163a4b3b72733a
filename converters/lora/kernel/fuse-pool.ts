import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { messageOf, SlothfulError } from '../../../src/errors.ts';
import { type FuseJob, Kernel } from './kernel.ts';

/** What a worker is sent and what it answers. Rows travel with their memory, uncopied. */
export interface FuseRequest {
  readonly id: number;
  readonly job: FuseJob;
}
export type FuseReply =
  | { readonly id: number; readonly rows: Uint8Array<ArrayBuffer> }
  | { readonly id: number; readonly error: ConstructorParameters<typeof SlothfulError> };

interface Waiting {
  resolve(rows: Uint8Array<ArrayBuffer>): void;
  reject(error: unknown): void;
}

/** Multiplications from which sending work to a thread pays. */
const WORTH_SENDING = 1 << 22;
const MOST_WORKERS = 4;

/** The worker is compiled beside this file. Run from its source, a thread must be given the TypeScript loader anew. */
function startWorker(): Worker {
  if (import.meta.url.endsWith('.js')) return new Worker(new URL('./worker.js', import.meta.url));
  const source = JSON.stringify(new URL('./worker.ts', import.meta.url).href);
  const start = `import('tsx/esm/api').then(({ register }) => { register(); return import(${source}); });`;
  return new Worker(start, { eval: true });
}

/** A worker thread with the jobs that it has not answered yet. */
class Thread {
  private readonly waiting = new Map<number, Waiting>();
  private readonly worker = startWorker();
  private count = 0;

  constructor() {
    this.worker.on('message', (reply: FuseReply) => this.settle(reply));
    this.worker.on('error', (error) => this.fail(messageOf(error)));
    this.worker.on('exit', (code) => this.fail(`it ended with code ${code}`));
  }

  run(job: FuseJob): Promise<Uint8Array<ArrayBuffer>> {
    const id = this.count++;
    return new Promise((resolve, reject) => {
      this.waiting.set(id, { resolve, reject });
      const request: FuseRequest = { id, job };
      this.worker.postMessage(request, [job.base.buffer]);
    });
  }

  async close(): Promise<void> {
    await this.worker.terminate();
  }

  private settle(reply: FuseReply): void {
    const waiting = this.waiting.get(reply.id);
    this.waiting.delete(reply.id);
    if ('rows' in reply) waiting?.resolve(reply.rows);
    else waiting?.reject(new SlothfulError(...reply.error));
  }

  private fail(problem: string): void {
    const error = new SlothfulError('bug', 'worker thread of the LoRA fusion', problem);
    for (const { reject } of this.waiting.values()) reject(error);
    this.waiting.clear();
  }
}

/** Memory that is used again: a new buffer for every tensor costs more in page faults and collection than its copying. */
class Recycler<T extends ArrayBuffer | SharedArrayBuffer> {
  private readonly free: T[] = [];

  constructor(private readonly make: (bytes: number) => T) {}

  /** A buffer of at least `bytes` bytes: the smallest that fits. */
  take(bytes: number): T {
    const fitting = this.free.filter((buffer) => buffer.byteLength >= bytes);
    const [best] = fitting.sort((a, b) => a.byteLength - b.byteLength);
    if (!best) {
      // What is too small now is so for the tensors to come, too, more often than not.
      this.free.pop();
      return this.make(bytes);
    }
    this.free.splice(this.free.indexOf(best), 1);
    return best;
  }

  give(buffer: T): void {
    this.free.push(buffer);
  }
}

/** Runs fusion jobs: small ones at once, large ones on worker threads that are started when the first one comes. */
export class FusePool {
  private readonly threads: Thread[] = [];
  private readonly kernel = new Kernel();
  private next = 0;
  /** For the rows of jobs, which travel between threads. */
  readonly rows = new Recycler((bytes) => new ArrayBuffer(bytes));
  /** For matrices that all threads read. */
  readonly matrices = new Recycler((bytes) => new SharedArrayBuffer(bytes));

  /** @param size how many threads; one a processor by default */
  constructor(readonly size: number = Math.min(MOST_WORKERS, availableParallelism())) {}

  /** Into how many jobs a product of so many multiplications should be cut. */
  partsFor(multiplications: number): number {
    return multiplications < WORTH_SENDING ? 1 : this.size;
  }

  /** Fuses rows. The memory of `job.base` is given away; the answer may lie in it. @throws SlothfulError */
  async run(job: FuseJob): Promise<Uint8Array<ArrayBuffer>> {
    if (job.up.length * job.columns < WORTH_SENDING / this.size) return this.kernel.fuse(job);
    const index = this.next++ % this.size;
    this.threads[index] ??= new Thread();
    return this.threads[index].run(job);
  }

  async close(): Promise<void> {
    await Promise.all(this.threads.splice(0).map((thread) => thread.close()));
  }
}
