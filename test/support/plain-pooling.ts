import type { ControlRow } from '../../src/passes/slothful/index.ts';

/** Size of the hidden states of one site. */
export interface GridSize {
  readonly batch: number;
  readonly rows: number;
  readonly columns: number;
  readonly channels: number;
}

/** The input of keys (or values) by the definition: sampled and pooled at the row's strides, blended. [B, M, C] */
export function plainPooling(x: ArrayLike<number>, size: GridSize, row: ControlRow, blend: number): number[] {
  const flat = row.mode.startsWith('1D');
  const [rows, columns] = flat ? [size.rows * size.columns, 1] : [size.rows, size.columns];
  const window = [Math.min(row.windowRows, rows), Math.min(row.windowColumns, columns)] as const;
  const out: number[] = [];
  for (let item = 0; item < size.batch; item++) {
    for (let top = 0; top + window[0] <= rows; top += row.strideRows) {
      for (let left = 0; left + window[1] <= columns; left += row.strideColumns) {
        for (let channel = 0; channel < size.channels; channel++) {
          const at = (i: number, j: number) =>
            x[((item * rows + i) * columns + j) * size.channels + channel] ?? Number.NaN;
          const inside = Array.from({ length: window[0] * window[1] }, (_, index) => {
            return at(top + Math.floor(index / window[1]), left + (index % window[1]));
          });
          const mean = inside.reduce((sum, value) => sum + value, 0) / inside.length;
          const pooled = row.mode.endsWith('MAX') ? Math.max(...inside) : mean;
          out.push(at(top, left) * (1 - blend) + pooled * blend);
        }
      }
    }
  }
  return out;
}
