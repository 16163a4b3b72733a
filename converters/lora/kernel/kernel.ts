import { toHalves } from '../../weights/convert.ts';
import { kernelModule, TILE_COLUMNS, TILE_ROWS } from './code.ts';
import { BLOCK_ROWS, type FuseTask, type Layout, layoutOf } from './layout.ts';

interface Exports {
  fromHalves(from: number, to: number, end: number): void;
  fromBfloats(from: number, to: number, end: number): void;
  toHalves(from: number, to: number, end: number): number;
  addProduct(strip: number, stride: number, end: number, up: number, upEnd: number, down: number): void;
}

function isFunction(value: unknown): value is (...numbers: number[]) => number {
  return typeof value === 'function';
}

/** Names the functions of the instance, which the assembler wrote and no one else. */
function exportsOf({ exports }: WebAssembly.Instance): Exports {
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
    this.run = exportsOf(new WebAssembly.Instance(kernelModule(), { env: { memory } }));
  }

  /**
   * Computes the rows of a task.
   *
   * @throws SlothfulError `bad-checkpoint` where a value does not fit float16
   */
  fuse(task: FuseTask): void {
    const layout = layoutOf(task);
    this.packDown(task, layout);
    for (let row = 0; row < task.rows; row += BLOCK_ROWS) {
      const rows = Math.min(BLOCK_ROWS, task.rows - row);
      this.readBlock(task, layout, row, rows);
      for (let each = 0; each < rows; each += TILE_ROWS) this.addTo(task, layout, row + each, each);
      this.writeBlock(task, layout, row, rows);
    }
  }

  private bytes(address: number, length: number): Uint8Array {
    return new Uint8Array(this.memory.buffer, address, length);
  }

  private floats(address: number, length: number): Float32Array {
    return new Float32Array(this.memory.buffer, address, length);
  }

  private addTo(task: FuseTask, layout: Layout, row: number, inBlock: number): void {
    const { block, width, tile, panels } = layout;
    this.packUp(task, layout, row);
    const strip = block + 4 * width * inBlock;
    this.run.addProduct(strip, 4 * width, strip + 4 * width, tile, tile + 4 * TILE_ROWS * task.rank, panels);
  }

  /** Rows as they come to floats; whole rows are read where they lie. */
  private readBlock({ from, columns }: FuseTask, layout: Layout, row: number, rows: number): void {
    const { base, inBytes, stored, block, width } = layout;
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

  /** Floats to rows as they go. */
  private writeBlock(task: FuseTask, layout: Layout, row: number, rows: number): void {
    const { out, outBytes, stored, block, width } = layout;
    const target = out + row * outBytes;
    const size = task.to === 'float16' ? 2 : 4;
    const result = task.to === 'float16' ? stored : block;
    if (task.to === 'float16') this.narrow(task, layout, rows);
    const from = this.bytes(result, size * width * rows);
    const into = this.bytes(target, rows * outBytes);
    if (width === task.columns) into.set(from);
    else spread(from, size * width, into, outBytes);
  }

  private narrow({ place }: FuseTask, { stored, block, width }: Layout, rows: number): void {
    if (this.run.toHalves(block, stored, block + 4 * width * rows) === 0) return;
    // A value that is no half: infinite or NaN is kept, too large is an error that names it.
    const floats = Uint32Array.from(new Uint32Array(this.memory.buffer, block, width * rows));
    const halves = toHalves(floats, new Uint16Array(width * rows), place);
    new Uint16Array(this.memory.buffer, stored, width * rows).set(halves);
  }

  /** [rank, columns] -> [columns / 8][rank][8] */
  private packDown({ columns, rank }: FuseTask, { down, panels, width }: Layout): void {
    const from = this.floats(down, rank * columns);
    const into = this.floats(panels, rank * width);
    let at = 0;
    for (let panel = 0; panel < width; panel += TILE_COLUMNS) {
      for (let k = 0; k < rank; k++) {
        for (let column = panel; column < panel + TILE_COLUMNS; column++) {
          into[at++] = column < columns ? (from[k * columns + column] ?? 0) : 0;
        }
      }
    }
  }

  /** Four rows of [rows, rank] -> [rank][4]; rows behind the last are 0. */
  private packUp({ rows, rank }: FuseTask, { up, tile }: Layout, row: number): void {
    const from = this.floats(up, rows * rank);
    const into = this.floats(tile, TILE_ROWS * rank);
    let at = 0;
    for (let k = 0; k < rank; k++) {
      for (let each = row; each < row + TILE_ROWS; each++) into[at++] = each < rows ? (from[each * rank + k] ?? 0) : 0;
    }
  }
}
