import { TILE_COLUMNS, TILE_ROWS } from './code.ts';

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
