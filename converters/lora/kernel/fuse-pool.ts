import { availableParallelism } from 'node:os';
import { SlothfulError } from '../../../src/errors.ts';
import { Scratch } from '../../weights/index.ts';
import { Kernel, type Share } from './kernel.ts';
import { type FuseTask, layoutOf, type MemoryLayout, MOST_PAGES, TILE_ROWS } from './layout.ts';
import { Thread } from './thread.ts';

/** Multiplications from which sending work to threads pays. */
const WORTH_SENDING = 1 << 22;
/** More threads than this take more memory than they save time: reading and writing then take the longest. */
const MOST_THREADS = 4;
/** Memories: a weight is read into one and computed there while the one before is taken from the other. */
const SLOTS = 2;

const PAGE = 65536;

/** What a task needs, to be filled in before it is computed: views of memory that all threads share. */
export interface FuseRoom {
  /** The rows as the checkpoint has them, little-endian. */
  readonly base: Uint8Array;
  /** `up` in the kernel's order, scale and alpha multiplied in; all 0 now. See `packUp`. */
  readonly tiles: Float32Array;
  /** `down` in the kernel's order; all 0 now. See `packDown`. */
  readonly panels: Float32Array;
  /** For what has to be converted on its way there. */
  readonly scratch: Scratch;
}

/** A memory in which one task at a time is prepared and computed, and where its result stays until the next one comes. */
class Slot {
  readonly memory = new WebAssembly.Memory({ initial: 1, maximum: MOST_PAGES, shared: true });
  /** Settles when the task that has the memory is computed, well or not. */
  last: Promise<unknown> = Promise.resolve();
  private readonly scratch = new Scratch();
  private own: Kernel | undefined;

  /** @param index its place among the memories that threads are given */
  constructor(readonly index: number) {}

  /** Computes in this thread. */
  get kernel(): Kernel {
    this.own ??= new Kernel(this.memory);
    return this.own;
  }

  /** Makes room for a task. @throws SlothfulError `unsupported` where there is no memory left */
  open(
    { rows, place }: FuseTask,
    { base, inBytes, tiles, tilesLength, panels, panelsLength, end }: MemoryLayout,
  ): FuseRoom {
    this.reserve(end, place);
    const { buffer } = this.memory;
    return {
      base: new Uint8Array(buffer, base, rows * inBytes),
      tiles: new Float32Array(buffer, tiles, tilesLength).fill(0),
      panels: new Float32Array(buffer, panels, panelsLength).fill(0),
      scratch: this.scratch,
    };
  }

  /** The rows of a task that is computed, as they will be stored. */
  result({ rows }: FuseTask, { out, outBytes }: MemoryLayout): Uint8Array {
    return new Uint8Array(this.memory.buffer, out, rows * outBytes);
  }

  private reserve(bytes: number, place: string): void {
    const missing = Math.ceil((bytes - this.memory.buffer.byteLength) / PAGE);
    if (missing <= 0) return;
    try {
      this.memory.grow(missing);
    } catch (error) {
      const cure = 'close other programs, or convert it without LoRA';
      throw new SlothfulError('unsupported', place, `needs ${bytes} bytes at once`, cure, { cause: error });
    }
  }
}

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

  private async send(task: FuseTask, layout: MemoryLayout, memory: number): Promise<void> {
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
function sharesOf({ rows }: FuseTask, { benches }: MemoryLayout): Share[] {
  const step = TILE_ROWS * Math.ceil(rows / benches.length / TILE_ROWS);
  return benches
    .map((bench, index) => ({ first: Math.min(rows, step * index), last: Math.min(rows, step * (index + 1)), bench }))
    .filter(({ first, last }) => first < last);
}
