import type { WeightDtype } from '../../safetensors/dtypes.ts';
import { type StoredDtype, toHalves } from '../../weights/convert.ts';
import { kernelModule, TILE_COLUMNS, TILE_ROWS } from './code.ts';

/** Rows of a weight and what is to be added to them: `base + up * down`. */
export interface FuseJob {
  /** The rows as the checkpoint has them, little-endian; their memory may be used for the result. */
  readonly base: Uint8Array<ArrayBuffer>;
  readonly from: WeightDtype;
  readonly to: StoredDtype;
  /** Values of a row: inputs, times the taps of a convolution. */
  readonly columns: number;
  readonly rank: number;
  /** [rows, rank], scale and alpha multiplied in. */
  readonly up: Float32Array;
  /** [rank, columns] */
  readonly down: Float32Array;
  /** File and tensor, for messages. */
  readonly place: string;
}

interface Exports {
  fromHalves(from: number, to: number, end: number): void;
  fromBfloats(from: number, to: number, end: number): void;
  toHalves(from: number, to: number, end: number): number;
  addProduct(strip: number, stride: number, end: number, up: number, upEnd: number, down: number): void;
}

/** Where everything lies in the memory of the kernel, in bytes. */
interface Places {
  /** Values of a row, rounded up to whole tiles. */
  readonly width: number;
  /** A block of rows as they are stored, before and after. */
  readonly stored: number;
  /** The same as floats. */
  readonly block: number;
  /** `up` for four rows. */
  readonly up: number;
  readonly upEnd: number;
  readonly down: number;
  readonly end: number;
}

const PAGE = 65536;
/** Rows that are converted at once: few enough for the processor's cache, enough to make the calls cheap. */
const BLOCK_ROWS = 8 * TILE_ROWS;

function placesOf({ columns, rank }: FuseJob): Places {
  const width = Math.ceil(columns / TILE_COLUMNS) * TILE_COLUMNS;
  const block = 4 * BLOCK_ROWS * width;
  const up = 2 * block;
  const upEnd = up + 4 * TILE_ROWS * rank;
  return { width, stored: 0, block, up, upEnd, down: upEnd, end: upEnd + 4 * width * rank };
}

/** Copies rows of one length to rows of another: they are cut, or filled up with zeros. */
function spread(from: Uint8Array, fromLength: number, into: Uint8Array, intoLength: number): void {
  if (fromLength === intoLength) {
    into.set(from);
    return;
  }
  const length = Math.min(fromLength, intoLength);
  if (length < intoLength) into.fill(0);
  for (let row = 0; row * fromLength < from.length; row++) {
    into.set(from.subarray(row * fromLength, row * fromLength + length), row * intoLength);
  }
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

/**
 * Adds low-rank products to weights, four rows at a time, in WebAssembly with vectors: about ten times as fast as
 * JavaScript. Everything is computed in float32 and rounded once, to nearest even, when it is stored.
 */
export class Kernel {
  private readonly memory = new WebAssembly.Memory({ initial: 1 });
  private readonly run: Exports;

  constructor() {
    this.run = exportsOf(new WebAssembly.Instance(kernelModule(), { env: { memory: this.memory } }));
  }

  /**
   * The fused rows, as `job.to` stores them; where they fit, in the memory of `job.base`.
   *
   * @throws SlothfulError `bad-checkpoint` where a value does not fit float16
   */
  fuse(job: FuseJob): Uint8Array<ArrayBuffer> {
    const { base, from, to, columns, rank, up } = job;
    const places = placesOf(job);
    this.reserve(places.end);
    this.putDown(job, places);
    const [inBytes, outBytes] = [(from === 'F32' ? 4 : 2) * columns, (to === 'float32' ? 4 : 2) * columns];
    const rows = up.length / rank;
    const out = outBytes <= inBytes ? base.subarray(0, rows * outBytes) : new Uint8Array(rows * outBytes);
    for (let row = 0; row < rows; row += BLOCK_ROWS) {
      const last = Math.min(rows, row + BLOCK_ROWS);
      this.readBlock(job, places, base.subarray(row * inBytes, last * inBytes), last - row);
      for (let each = row; each < last; each += TILE_ROWS) this.addTo(job, places, each, each - row);
      this.writeBlock(job, places, out.subarray(row * outBytes, last * outBytes), last - row);
    }
    return out;
  }

  private reserve(bytes: number): void {
    const missing = bytes - this.memory.buffer.byteLength;
    if (missing > 0) this.memory.grow(Math.ceil(missing / PAGE));
  }

  private addTo(job: FuseJob, places: Places, row: number, inBlock: number): void {
    const { block, width, up, upEnd, down } = places;
    this.putUp(job, places, row);
    const strip = block + 4 * width * inBlock;
    this.run.addProduct(strip, 4 * width, strip + 4 * width, up, upEnd, down);
  }

  /** Stored rows to floats. */
  private readBlock(
    { from, columns }: FuseJob,
    { stored, block, width }: Places,
    bytes: Uint8Array,
    rows: number,
  ): void {
    const size = from === 'F32' ? 4 : 2;
    const into = new Uint8Array(this.memory.buffer, from === 'F32' ? block : stored, size * width * rows);
    spread(bytes, size * columns, into, size * width);
    const end = block + 4 * width * rows;
    if (from === 'F16') this.run.fromHalves(stored, block, end);
    if (from === 'BF16') this.run.fromBfloats(stored, block, end);
  }

  /** Floats to stored rows. */
  private writeBlock(job: FuseJob, { stored, block, width }: Places, into: Uint8Array, rows: number): void {
    const { to, columns } = job;
    const end = block + 4 * width * rows;
    const isHalf = to === 'float16';
    if (isHalf && this.run.toHalves(block, stored, end) !== 0) this.roundBlock(job, block, stored, width * rows);
    const size = isHalf ? 2 : 4;
    const from = new Uint8Array(this.memory.buffer, isHalf ? stored : block, size * width * rows);
    spread(from, size * width, into, size * columns);
  }

  /** Where a value is no half: infinite or NaN is kept, too large is an error that names it. */
  private roundBlock({ place }: FuseJob, block: number, stored: number, values: number): void {
    const floats = new Uint32Array(this.memory.buffer.slice(block, block + 4 * values));
    new Uint16Array(this.memory.buffer, stored, values).set(toHalves(floats, new Uint16Array(values), place));
  }

  /** [rank, columns] -> [columns / 8][rank][8] */
  private putDown({ down, columns, rank }: FuseJob, places: Places): void {
    const into = new Float32Array(this.memory.buffer, places.down, places.width * rank);
    let at = 0;
    for (let panel = 0; panel < places.width; panel += TILE_COLUMNS) {
      for (let k = 0; k < rank; k++) {
        for (let column = panel; column < panel + TILE_COLUMNS; column++) {
          into[at++] = column < columns ? (down[k * columns + column] ?? 0) : 0;
        }
      }
    }
  }

  /** Four rows of [rows, rank] -> [rank][4]; rows behind the last are 0. */
  private putUp({ up, rank }: FuseJob, places: Places, row: number): void {
    const into = new Float32Array(this.memory.buffer, places.up, TILE_ROWS * rank);
    let at = 0;
    for (let k = 0; k < rank; k++) {
      for (let each = row; each < row + TILE_ROWS; each++) into[at++] = up[each * rank + k] ?? 0;
    }
  }
}
