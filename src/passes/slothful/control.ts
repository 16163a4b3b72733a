import type { ControlColumn, Grid } from '../../attention/index.ts';
import { SlothfulError } from '../../errors.ts';
import { POOLING_MODES, type PoolingMode, type SiteBlock, type SlothfulParameters, sideOf } from './parameters.ts';

/** The columns of the control table that are the pass's, by the names that the model's metadata has. */
export const SLOTHFUL_COLUMNS: readonly ControlColumn[] = [
  { name: 'stride_rows', default: 1 },
  { name: 'stride_columns', default: 1 },
  { name: 'window_rows', default: 1 },
  { name: 'window_columns', default: 1 },
  { name: 'mode', default: 2 },
  { name: 'k_blend', default: 0 },
  { name: 'v_blend', default: 0 },
];

/** Values a site has in the control table. */
export const CONTROL_COLUMNS = SLOTHFUL_COLUMNS.length;

/**
 * What one site does at one step: samples and pools its keys' and values' input by these strides and windows, in tokens,
 * and blends the pooled tensor in. For the 1D modes a grid is one column that holds every token.
 */
export interface ControlRow {
  readonly strideRows: number;
  readonly strideColumns: number;
  readonly windowRows: number;
  readonly windowColumns: number;
  readonly mode: PoolingMode;
  readonly kBlend: number;
  readonly vBlend: number;
}

/** The row that leaves a site exactly as it is, and the default of a patched graph. */
export const UNTOUCHED: ControlRow = {
  strideRows: 1,
  strideColumns: 1,
  windowRows: 1,
  windowColumns: 1,
  mode: '2D_AVG',
  kBlend: 0,
  vBlend: 0,
};

/** True where every stride and window is 1: the keys and values are made of the hidden states themselves. */
export function isUntouched(row: ControlRow): boolean {
  return row.strideRows === 1 && row.strideColumns === 1 && row.windowRows === 1 && row.windowColumns === 1;
}

/**
 * The control table as a graph is fed it: [rows, 7] float32, row-major. Columns: stride rows, stride columns, window
 * rows, window columns, mode (0..3: 1D_AVG, 1D_MAX, 2D_AVG, 2D_MAX), k blend, v blend.
 *
 * @throws SlothfulError `bad-input` for a row that no layer could run
 */
export function encodeControl(rows: readonly ControlRow[]): Float32Array {
  const table = new Float32Array(rows.length * CONTROL_COLUMNS);
  rows.forEach((row, site) => {
    const { strideRows, strideColumns, windowRows, windowColumns, mode, kBlend, vBlend } = row;
    const values = [strideRows, strideColumns, windowRows, windowColumns, POOLING_MODES.indexOf(mode), kBlend, vBlend];
    table.set(values, site * CONTROL_COLUMNS);
    decodeControl(table, site);
  });
  return table;
}

/**
 * One row of a control table.
 *
 * @param values the whole table, [rows, 7]
 * @param site which row
 * @throws SlothfulError `bad-input`: no such row, a stride or window that is not an integer from 1, an unknown mode,
 *   a blend that is not finite
 */
export function decodeControl(values: ArrayLike<number>, site: number): ControlRow {
  const place = `control row ${site}`;
  if (values.length % CONTROL_COLUMNS || (site + 1) * CONTROL_COLUMNS > values.length) {
    const problem = `the table has ${values.length} values, ${CONTROL_COLUMNS} a row`;
    throw new SlothfulError('bad-input', place, problem, 'feed one row for every patched site');
  }
  const cell = (column: number) => values[site * CONTROL_COLUMNS + column] ?? Number.NaN;
  return {
    strideRows: count(cell(0), 'stride rows', place),
    strideColumns: count(cell(1), 'stride columns', place),
    windowRows: count(cell(2), 'window rows', place),
    windowColumns: count(cell(3), 'window columns', place),
    mode: modeOf(cell(4), place),
    kBlend: finite(cell(5), 'k blend', place),
    vBlend: finite(cell(6), 'v blend', place),
  };
}

function count(value: number, name: string, place: string): number {
  if (Number.isInteger(value) && value >= 1) return value;
  throw new SlothfulError('bad-input', place, `${name} must be an integer from 1, got ${value}`);
}

function modeOf(value: number, place: string): PoolingMode {
  const mode = POOLING_MODES[value];
  if (mode !== undefined) return mode;
  throw new SlothfulError('bad-input', place, `mode must be 0, 1, 2 or 3, got ${value}`);
}

/** Blends outside 0..1 are a user's own hook's business: the arithmetic extrapolates. */
function finite(value: number, name: string, place: string): number {
  if (Number.isFinite(value)) return value;
  throw new SlothfulError('bad-input', place, `${name} must be a finite number, got ${value}`);
}

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
