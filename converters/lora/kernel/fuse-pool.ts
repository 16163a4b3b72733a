import { availableParallelism } from 'node:os';
import { type FuseJob, Lane } from './lane.ts';

/** Multiplications from which sending work to a thread pays. */
const WORTH_SENDING = 1 << 22;
/** More threads than this take more memory than they save time: reading and writing then take the longest. */
const MOST_THREADS = 4;

/** Runs fusion jobs: small ones at once, large ones in parts, on threads that are started when the first one comes. */
export class FusePool {
  private readonly threads: Lane[] = [];
  private here: Lane | undefined;

  /** @param size how many threads; one a processor by default, up to four */
  constructor(readonly size: number = Math.min(MOST_THREADS, availableParallelism())) {}

  /** Into how many jobs a product of so many multiplications should be cut. */
  partsFor(multiplications: number): number {
    return multiplications < WORTH_SENDING ? 1 : this.size;
  }

  /** Computes part number `part` of a product. @throws SlothfulError */
  run(job: FuseJob, part = 0): Promise<void> {
    if (job.rows * job.rank * job.columns < WORTH_SENDING / this.size) {
      this.here ??= new Lane('here');
      return this.here.run(job);
    }
    const index = part % this.size;
    this.threads[index] ??= new Lane('thread');
    return this.threads[index].run(job);
  }

  async close(): Promise<void> {
    await Promise.all(this.threads.splice(0).map((thread) => thread.close()));
  }
}
