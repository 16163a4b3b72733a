import type { WeightDtype } from '../../safetensors/dtypes.ts';
import type { StoredDtype } from '../../weights/convert.ts';
import { TILE_COLUMNS, TILE_ROWS } from './code.ts';

/** Rows of a weight to which a product is to be added: `W += up * down`. */
export interface FuseTask {
  /** How the checkpoint has the rows. */
  readonly from: WeightDtype;
  /** How they will be stored. */
  readonly to: StoredDtype;
  readonly rows: number;
  /** Values of a row: inputs, times the taps of a convolution. */
  readonly columns: number;
  readonly rank: number;
  /** File and tensor, for messages. */
  readonly place: string;
}

/** Where everything of a task lies in the kernel's memory, in bytes. */
export interface Layout {
  /** The rows as they come. */
  readonly base: number;
  readonly inBytes: number;
  /** The rows as they go; in the place of those that come unless they are wider. */
  readonly out: number;
  readonly outBytes: number;
  /** [rows, rank] floats. */
  readonly up: number;
  /** [rank, columns] floats. */
  readonly down: number;
  /** Values of a row in the kernel, a whole number of tiles. */
  readonly width: number;
  /** Some rows as the files have them, `width` values each. */
  readonly stored: number;
  /** The same as floats. */
  readonly block: number;
  /** `up` for four rows, as `addProduct` reads it. */
  readonly tile: number;
  /** `down`, as `addProduct` reads it. */
  readonly panels: number;
  readonly end: number;
}

/** Rows that are converted at once: few enough for the processor's cache, enough to make the calls cheap. */
export const BLOCK_ROWS = 8 * TILE_ROWS;

function aligned(address: number): number {
  return Math.ceil(address / 64) * 64;
}

/** Lays a task out in memory. */
export function layoutOf({ from, to, rows, columns, rank }: FuseTask): Layout {
  const inBytes = (from === 'F32' ? 4 : 2) * columns;
  const outBytes = (to === 'float32' ? 4 : 2) * columns;
  const width = Math.ceil(columns / TILE_COLUMNS) * TILE_COLUMNS;
  const behindBase = aligned(rows * inBytes);
  const out = outBytes <= inBytes ? 0 : behindBase;
  const up = out === 0 ? behindBase : aligned(out + rows * outBytes);
  const down = aligned(up + 4 * rows * rank);
  const stored = aligned(down + 4 * rank * columns);
  const block = stored + 4 * BLOCK_ROWS * width;
  const tile = block + 4 * BLOCK_ROWS * width;
  const panels = aligned(tile + 4 * TILE_ROWS * rank);
  const end = panels + 4 * rank * width;
  return { base: 0, inBytes, out, outBytes, up, down, width, stored, block, tile, panels, end };
}
