/** How a task lies in the kernel's memory: where everything is, and in which order it is read. */
import type { FloatDtype } from '../../../src/tensors/index.ts';
import type { StoredDtype } from '../../weights/index.ts';

/** Rows and columns of what `addProduct` (kernel.wat) keeps in registers. */
export const TILE_ROWS = 4;
export const TILE_COLUMNS = 8;
/** Rows that are converted at once: few enough for the processor's cache, enough to make the calls cheap. */
export const BLOCK_ROWS = 8 * TILE_ROWS;

/** Most pages of 64 KiB that the kernel's memory may have, as kernel.wat imports it: 2 GiB. */
export const MOST_PAGES = 32768;

/** Rows of a weight to which a product is to be added: `W += up * down`. */
export interface FuseTask {
  /** How the checkpoint has the rows. */
  readonly from: FloatDtype;
  /** How they will be stored. */
  readonly to: StoredDtype;
  readonly rows: number;
  /** Values of a row: inputs, times the taps of a convolution. */
  readonly columns: number;
  readonly rank: number;
  /** File and tensor, for messages. */
  readonly place: string;
}

/** What one thread works in, besides the rows themselves. */
export interface Bench {
  /** Some rows as the files have them, `width` values each. */
  readonly stored: number;
  /** The same as floats. */
  readonly block: number;
}

/** Where everything of a task lies in memory, in bytes. */
export interface MemoryLayout {
  /** The rows as they come. */
  readonly base: number;
  readonly inBytes: number;
  /** The rows as they go; in the place of those that come where they are as long. */
  readonly out: number;
  readonly outBytes: number;
  /** Values of a row in the kernel, a whole number of tiles. */
  readonly width: number;
  /** `up` as `addProduct` reads it: [rows / 4][rank][4] floats. */
  readonly tiles: number;
  readonly tilesLength: number;
  /** `down` as `addProduct` reads it: [width / 8][rank][8] floats. */
  readonly panels: number;
  readonly panelsLength: number;
  /** One for each thread. */
  readonly benches: readonly Bench[];
  readonly end: number;
}

function aligned(address: number): number {
  return Math.ceil(address / 64) * 64;
}

/** Lays a task out in memory, for as many threads as share it. */
export function layoutOf({ from, to, rows, columns, rank }: FuseTask, threads: number): MemoryLayout {
  const inBytes = (from === 'F32' ? 4 : 2) * columns;
  const outBytes = (to === 'float32' ? 4 : 2) * columns;
  const width = Math.ceil(columns / TILE_COLUMNS) * TILE_COLUMNS;
  const behindBase = aligned(rows * inBytes);
  // Rows of another size would lie where another thread has not read yet.
  const out = outBytes === inBytes ? 0 : behindBase;
  const tiles = out === 0 ? behindBase : aligned(out + rows * outBytes);
  const tilesLength = Math.ceil(rows / TILE_ROWS) * TILE_ROWS * rank;
  const panels = aligned(tiles + 4 * tilesLength);
  const panelsLength = width * rank;
  const first = aligned(panels + 4 * panelsLength);
  const blockBytes = 4 * BLOCK_ROWS * width;
  const benches = Array.from({ length: threads }, (_, thread) => {
    const stored = first + 2 * blockBytes * thread;
    return { stored, block: stored + blockBytes };
  });
  const end = first + 2 * blockBytes * threads;
  return { base: 0, inBytes, out, outBytes, width, tiles, tilesLength, panels, panelsLength, benches, end };
}

/** Which of the ranks of all terms a term has. */
export interface Ranks {
  /** Ranks of the terms before it. */
  readonly before: number;
  /** Its own. */
  readonly own: number;
  /** Of all. */
  readonly all: number;
}

/**
 * Writes a term's `down` where and in the order in which the kernel reads it.
 *
 * @param down [own rank, columns]
 * @param panels [columns / 8][ranks][8]
 */
export function packDown(down: Float32Array, panels: Float32Array, columns: number, { before, own, all }: Ranks): void {
  for (let k = 0; k < own; k++) {
    for (let panel = 0; panel < columns; panel += TILE_COLUMNS) {
      const into = panel * all + (before + k) * TILE_COLUMNS;
      const width = Math.min(TILE_COLUMNS, columns - panel);
      for (let column = 0; column < width; column++) panels[into + column] = down[k * columns + panel + column] ?? 0;
    }
  }
}

/**
 * Writes rows of a term's `up`, times its factor, where and in the order in which the kernel reads them.
 *
 * @param up [rows, own rank]
 * @param tiles [rows / 4][ranks][4]
 */
export function packUp(up: Float32Array, tiles: Float32Array, factor: number, { before, own, all }: Ranks): void {
  for (let row = 0; row * own < up.length; row++) {
    const into = (row - (row % TILE_ROWS)) * all + before * TILE_ROWS + (row % TILE_ROWS);
    for (let k = 0; k < own; k++) tiles[into + k * TILE_ROWS] = factor * (up[row * own + k] ?? 0);
  }
}
