import { toHalves } from '../../../src/tensors/index.ts';
import { KERNEL_BINARY } from './kernel-binary.ts';
import { type Bench, BLOCK_ROWS, type FuseTask, type MemoryLayout, TILE_ROWS } from './layout.ts';

/** What kernel.wat exports. */
interface Exports {
  fromHalves(from: number, to: number, end: number): void;
  fromBfloats(from: number, to: number, end: number): void;
  toHalves(from: number, to: number, end: number): number;
  addProduct(strip: number, stride: number, end: number, up: number, upEnd: number, down: number): void;
}

/** The rows of a task that one thread computes, from a whole number of tiles. */
export interface Share {
  readonly first: number;
  readonly last: number;
  readonly bench: Bench;
}

function isFunction(value: unknown): value is (...numbers: number[]) => number {
  return typeof value === 'function';
}

/** A kernel's functions at work in a memory. */
function instantiate(memory: WebAssembly.Memory): Exports {
  const module = new WebAssembly.Module(Buffer.from(KERNEL_BINARY, 'base64'));
  const { exports } = new WebAssembly.Instance(module, { env: { memory } });
  const { fromHalves, fromBfloats, toHalves: narrow, addProduct } = exports;
  if (isFunction(fromHalves) && isFunction(fromBfloats) && isFunction(narrow) && isFunction(addProduct)) {
    return { fromHalves, fromBfloats, toHalves: narrow, addProduct };
  }
  throw new TypeError('the kernel lacks a function');
}

/** Copies rows of one length to rows of another: they are cut, or filled up with zeros. */
function spread(from: Uint8Array, fromLength: number, into: Uint8Array, intoLength: number): void {
  const length = Math.min(fromLength, intoLength);
  if (length < intoLength) into.fill(0);
  for (let row = 0; row * fromLength < from.length; row++) {
    into.set(from.subarray(row * fromLength, row * fromLength + length), row * intoLength);
  }
}

/**
 * Adds low-rank products to weights in WebAssembly with vectors, about ten times as fast as JavaScript. Everything is
 * computed in float32 and rounded once, to nearest even, when it is stored.
 */
export class Kernel {
  private readonly run: Exports;

  /** @param memory shared, with everything of a task where `layoutOf` has it */
  constructor(private readonly memory: WebAssembly.Memory) {
    this.run = instantiate(memory);
  }

  /**
   * Computes some rows of a task. Kernels of several threads may compute theirs at once, each at a bench of its own.
   *
   * @throws SlothfulError `bad-checkpoint` where a value does not fit float16
   */
  fuse(task: FuseTask, layout: MemoryLayout, { first, last, bench }: Share): void {
    const { width, tiles, panels } = layout;
    const { stored, block } = bench;
    for (let row = first; row < last; row += BLOCK_ROWS) {
      const rows = Math.min(BLOCK_ROWS, last - row);
      this.readBlock(task, layout, bench, row, rows);
      for (let each = 0; each < rows; each += TILE_ROWS) {
        const strip = block + 4 * width * each;
        const tile = tiles + 4 * task.rank * (row + each);
        this.run.addProduct(strip, 4 * width, strip + 4 * width, tile, tile + 4 * TILE_ROWS * task.rank, panels);
      }
      if (task.to === 'float16') this.narrow(task, width * rows, block, stored);
      this.writeBlock(task, layout, task.to === 'float16' ? stored : block, row, rows);
    }
  }

  private bytes(address: number, length: number): Uint8Array {
    return new Uint8Array(this.memory.buffer, address, length);
  }

  /** Rows as they come to floats; whole rows are read where they lie. */
  private readBlock(
    { from, columns }: FuseTask,
    { base, inBytes, width }: MemoryLayout,
    { stored, block }: Bench,
    row: number,
    rows: number,
  ): void {
    const size = from === 'F32' ? 4 : 2;
    let source = base + row * inBytes;
    if (width !== columns) {
      spread(this.bytes(source, rows * inBytes), inBytes, this.bytes(stored, size * width * rows), size * width);
      source = stored;
    }
    const end = block + 4 * width * rows;
    if (from === 'F16') this.run.fromHalves(source, block, end);
    else if (from === 'BF16') this.run.fromBfloats(source, block, end);
    else this.bytes(block, 4 * width * rows).set(this.bytes(source, 4 * width * rows));
  }

  /** Converted rows to where they go. */
  private writeBlock(
    { to, columns }: FuseTask,
    { out, outBytes, width }: MemoryLayout,
    from: number,
    row: number,
    rows: number,
  ) {
    const size = to === 'float16' ? 2 : 4;
    const result = this.bytes(from, size * width * rows);
    const into = this.bytes(out + row * outBytes, rows * outBytes);
    if (width === columns) into.set(result);
    else spread(result, size * width, into, outBytes);
  }

  private narrow({ place }: FuseTask, values: number, block: number, stored: number): void {
    if (this.run.toHalves(block, stored, block + 4 * values) === 0) return;
    // A value that is not a half: infinite or NaN is kept, too large is an error that names it.
    const floats = Uint32Array.from(new Uint32Array(this.memory.buffer, block, values));
    const halves = toHalves(floats, new Uint16Array(values), place);
    new Uint16Array(this.memory.buffer, stored, values).set(halves);
  }
}
