import { availableParallelism } from 'node:os';
import { SlothfulError } from '../../../src/errors.ts';
import { TILE_ROWS } from './code.ts';
import type { Share } from './kernel.ts';
import { type FuseTask, type Layout, layoutOf } from './layout.ts';
import { type FuseRoom, Slot } from './slot.ts';
import { Thread } from './thread.ts';

/** Multiplications from which sending work to threads pays. */
const WORTH_SENDING = 1 << 22;
/** More threads than this take more memory than they save time: reading and writing then take the longest. */
const MOST_THREADS = 4;
/** Memories: a weight is read into one and computed there while the one before is taken from the other. */
const SLOTS = 2;

/**
 * Adds low-rank products to weights: small ones at once, large ones on threads that are started when the first one comes.
 *
 * Its memories take turns, so that the next weight is read and computed while one is transposed and written.
 */
export class FusePool {
  private readonly slots = Array.from({ length: SLOTS }, (_, index) => new Slot(index));
  private readonly threads: Thread[] = [];
  private next = 0;

  /** @param size how many threads; one a processor by default, up to four */
  constructor(readonly size: number = Math.min(MOST_THREADS, availableParallelism())) {}

  /**
   * Computes the rows of a task.
   *
   * @param fill reads what the task needs into the memory; called when there is room
   * @returns the rows as they will be stored, in memory that the next task but one takes over
   * @throws SlothfulError `bad-checkpoint` where a value does not fit float16; whatever `fill` throws
   */
  fuse(task: FuseTask, fill: (room: FuseRoom) => Promise<void>): Promise<Uint8Array> {
    const slot = this.takeSlot();
    const done = slot.last.then(() => this.compute(task, slot, fill));
    slot.last = done.catch(() => undefined);
    return done;
  }

  async close(): Promise<void> {
    await Promise.all(this.threads.splice(0).map((thread) => thread.close()));
  }

  private takeSlot(): Slot {
    const slot = this.slots[this.next];
    if (!slot) throw new SlothfulError('bug', 'LoRA fusion', `has no memory ${this.next}`);
    this.next = (this.next + 1) % SLOTS;
    return slot;
  }

  private async compute(task: FuseTask, slot: Slot, fill: (room: FuseRoom) => Promise<void>): Promise<Uint8Array> {
    const isLarge = task.rows * task.rank * task.columns >= WORTH_SENDING;
    const layout = layoutOf(task, isLarge ? this.size : 1);
    await fill(slot.open(task, layout));
    if (isLarge) await this.send(task, layout, slot.index);
    else for (const share of sharesOf(task, layout)) slot.kernel.fuse(task, layout, share);
    return slot.result(task, layout);
  }

  private async send(task: FuseTask, layout: Layout, memory: number): Promise<void> {
    const memories = this.slots.map((slot) => slot.memory);
    while (this.threads.length < this.size) this.threads.push(new Thread(memories));
    const jobs = sharesOf(task, layout).map((share, index) =>
      this.threads[index]?.run({ memory, task, layout, share }),
    );
    // All are waited for, so that no thread still writes when the memory gets its next task.
    const failed = (await Promise.allSettled(jobs)).find((job) => job.status === 'rejected');
    if (failed) throw failed.reason;
  }
}

/** A task's rows in equal parts, as many as there are benches, or fewer. */
function sharesOf({ rows }: FuseTask, { benches }: Layout): Share[] {
  const step = TILE_ROWS * Math.ceil(rows / benches.length / TILE_ROWS);
  return benches
    .map((bench, index) => ({ first: Math.min(rows, step * index), last: Math.min(rows, step * (index + 1)), bench }))
    .filter(({ first, last }) => first < last);
}
