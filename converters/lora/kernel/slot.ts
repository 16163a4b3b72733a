import { SlothfulError } from '../../../src/errors.ts';
import { Scratch } from '../../weights/index.ts';
import { MOST_PAGES } from './code.ts';
import { Kernel } from './kernel.ts';
import type { FuseTask, Layout } from './layout.ts';

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
export class Slot {
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
  open({ rows, place }: FuseTask, { base, inBytes, tiles, tilesLength, panels, panelsLength, end }: Layout): FuseRoom {
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
  result({ rows }: FuseTask, { out, outBytes }: Layout): Uint8Array {
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
