import { contactSheet, type SheetContent } from '../pictures/index.ts';
import type { Picture } from '../sampling/index.ts';
import type { Axis, AxisValue } from './axis.ts';
import type { SweptCell } from './sweep.ts';
import { plainKey } from './sweep-plan.ts';

const PLAIN = 'without';

/** The axes of a sweep, and what it made of them. */
export interface SweptGrid {
  readonly x: Axis | undefined;
  readonly y: Axis | undefined;
  readonly cells: readonly SweptCell[];
}

/**
 * The pictures of a sweep in rows and columns with their values. The picture without Slothful Attention stands before
 * each row, or, where it changes from column to column, above them; where it changes with both, it is left out.
 */
export function sweepSheet(grid: SweptGrid): Picture {
  return contactSheet(sheetContent(grid));
}

/** What is on the sheet. */
export function sheetContent({ x, y, cells }: SweptGrid): SheetContent {
  const find = (row: number, column: number) => cells.find(({ cell }) => cell.row === row && cell.column === column);
  const columns = x ? x.values.map((value) => labelOf(x, value)) : [''];
  const rowValues: (AxisValue | undefined)[] = y ? [...y.values] : [undefined];
  const rows = rowValues.map((value, row) => ({
    label: y && value ? labelOf(y, value) : '',
    pictures: columns.map((_, column) => find(row, column)?.picture),
  }));
  const plainAt = plainPlace(cells);
  if (plainAt === 'rows') {
    const before = rows.map((_, row) => cells.find(({ cell }) => cell.row === row)?.plain.picture);
    return {
      columns: [PLAIN, ...columns],
      rows: rows.map((each, row) => ({ ...each, pictures: [before[row], ...each.pictures] })),
    };
  }
  if (plainAt === 'none') return { columns, rows };
  const above = columns.map((_, column) => cells.find(({ cell }) => cell.column === column)?.plain.picture);
  return { columns, rows: [{ label: PLAIN, pictures: above }, ...rows] };
}

function labelOf({ name }: Axis, { text }: AxisValue): string {
  return name === 'prompt' || name === 'preset' ? text : `${name} ${text}`;
}

/** Along which axis the plain run changes. */
function plainPlace(cells: readonly SweptCell[]): 'rows' | 'columns' | 'none' {
  const changes = (along: 'row' | 'column') => {
    const keys = new Map<number, string>();
    return cells.some(({ cell }) => {
      const key = plainKey(cell);
      const known = keys.get(cell[along]) ?? key;
      keys.set(cell[along], known);
      return known !== key;
    });
  };
  if (!changes('row')) return 'rows';
  return changes('column') ? 'none' : 'columns';
}
