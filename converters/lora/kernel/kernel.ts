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
  readonly stored: number;
  readonly strip: number;
  readonly up: number;
  readonly upEnd: number;
  readonly down: number;
  readonly end: number;
}

const PAGE = 65536;

function placesOf({ columns, rank }: FuseJob): Places {
  const width = Math.ceil(columns / TILE_COLUMNS) * TILE_COLUMNS;
  const strip = 4 * width;
  const up = strip + 4 * TILE_ROWS * width;
  const upEnd = up + 4 * TILE_ROWS * rank;
  return { width, stored: 0, strip, up, upEnd, down: upEnd, end: upEnd + 4 * width * rank };
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
    for (let row = 0; row < rows; row += TILE_ROWS) {
      const last = Math.min(rows, row + TILE_ROWS);
      for (let each = row; each < last; each++) {
        this.readRow(job, places, each - row, base.subarray(each * inBytes, (each + 1) * inBytes));
      }
      this.putUp(job, places, row);
      const { strip, width } = places;
      this.run.addProduct(strip, 4 * width, strip + 4 * width, places.up, places.upEnd, places.down);
      for (let each = row; each < last; each++) {
        out.set(this.writtenRow(job, places, each - row).subarray(0, outBytes), each * outBytes);
      }
    }
    return out;
  }

  private reserve(bytes: number): void {
    const missing = bytes - this.memory.buffer.byteLength;
    if (missing > 0) this.memory.grow(Math.ceil(missing / PAGE));
  }

  private readRow({ from }: FuseJob, places: Places, row: number, bytes: Uint8Array): void {
    const to = places.strip + 4 * places.width * row;
    new Uint8Array(this.memory.buffer, from === 'F32' ? to : places.stored).set(bytes);
    const end = to + 4 * places.width;
    if (from === 'F16') this.run.fromHalves(places.stored, to, end);
    if (from === 'BF16') this.run.fromBfloats(places.stored, to, end);
  }

  private writtenRow({ to, place, columns }: FuseJob, places: Places, row: number): Uint8Array {
    const from = places.strip + 4 * places.width * row;
    const end = from + 4 * places.width;
    const floats = new Uint8Array(this.memory.buffer, from, 4 * places.width);
    if (to === 'float32') return floats;
    if (this.run.toHalves(from, places.stored, end) === 0) return new Uint8Array(this.memory.buffer, places.stored);
    // A value that is no half: infinite or NaN is kept, too large is an error that names it.
    const halves = toHalves(new Uint32Array(floats.slice(0, 4 * columns).buffer), new Uint16Array(columns), place);
    return new Uint8Array(halves.buffer);
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
