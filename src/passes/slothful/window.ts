import { type ControlRow, isUntouched, UNTOUCHED } from './control.ts';
import type { SlothfulParameters } from './parameters.ts';
import { type SiteBlock, sideOf } from './stride.ts';

/** Rows and columns of the tokens of a site. */
export type Grid = readonly [rows: number, columns: number];

/**
 * The strides and windows that realise an asked stride, for a row of the control table.
 *
 * 1D: `ceil(stride)` over the flattened tokens. 2D: columns `ceil(sqrt(stride))`, rows `ceil(stride / columns)`, so that the
 * realised reduction is never less than the asked one. Up to 1 the row is the untouched one.
 *
 * `compat: 'comfyui'` with both blends 1 is the original's shortcut: sampled and not cropped, which is a window of 1.
 */
export function controlRow(parameters: SlothfulParameters, block: SiteBlock, stride: number): ControlRow {
  if (!(stride > 1)) return UNTOUCHED;
  const { mode, kBlend, vBlend } = sideOf(parameters, block);
  const flat = mode === '1D_AVG' || mode === '1D_MAX';
  const strideColumns = flat ? 1 : Math.ceil(Math.sqrt(stride));
  const strideRows = Math.ceil(stride / strideColumns);
  const strides = { strideRows, strideColumns, mode };
  if (parameters.compat === 'comfyui' && kBlend === 1 && vBlend === 1) {
    return { ...strides, windowRows: 1, windowColumns: 1, kBlend: 0, vBlend: 0 };
  }
  return { ...strides, windowRows: strideRows, windowColumns: strideColumns, kBlend, vBlend };
}

/** The grid that a row pools over: the site's own, or for the 1D modes one column with every token. */
export function pooledGrid(row: ControlRow, grid: Grid): Grid {
  return row.mode === '1D_AVG' || row.mode === '1D_MAX' ? [grid[0] * grid[1], 1] : grid;
}

/** Rows and columns of tokens that keys and values have after pooling a grid of that size. Windows are clipped to it. */
export function pooledSize(row: ControlRow, grid: Grid): Grid {
  const [rows, columns] = pooledGrid(row, grid);
  return [positions(rows, row.windowRows, row.strideRows), positions(columns, row.windowColumns, row.strideColumns)];
}

/** How many keys and values a site of that grid has under a row: exact, every token where the row leaves it alone. */
export function kvTokens(row: ControlRow, grid: Grid): number {
  if (isUntouched(row)) return grid[0] * grid[1];
  const [rows, columns] = pooledSize(row, grid);
  return rows * columns;
}

function positions(size: number, window: number, stride: number): number {
  return Math.floor((size - Math.min(window, size)) / stride) + 1;
}
