import { contactSheet, type SheetContent, type SheetRow } from '../pictures/index.ts';
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
 * each row, or, where it changes from column to column, above them; where it changes with both, above each row.
 */
export function sweepSheet(grid: SweptGrid): Picture {
  return contactSheet(sheetContent(grid));
}

/** What is on the sheet. */
export function sheetContent({ x, y, cells }: SweptGrid): SheetContent {
  const find = (row: number, column: number) => cells.find(({ cell }) => cell.row === row && cell.column === column);
  const columns = x ? x.values.map((value) => labelOf(x, value)) : [''];
  const rowValues: (AxisValue | undefined)[] = y ? [...y.values] : [undefined];
  const rows = rowValues.map((value, row) => {
    const found = columns.map((_, column) => find(row, column));
    const plain = found.map((cell) => cell?.plain.picture);
    return { label: y && value ? labelOf(y, value) : '', plain, pictures: found.map((cell) => cell?.picture) };
  });
  return withPlain(columns, rows, plainPlace(cells));
}

interface PlainRow extends SheetRow {
  readonly plain: SheetRow['pictures'];
}

function withPlain(columns: readonly string[], rows: readonly PlainRow[], place: PlainPlace): SheetContent {
  switch (place) {
    case 'shown':
      return { columns, rows };
    case 'before':
      return {
        columns: [PLAIN, ...columns],
        rows: rows.map(({ label, plain, pictures }) => ({ label, pictures: [plain[0], ...pictures] })),
      };
    case 'above':
      return { columns, rows: [{ label: PLAIN, pictures: rows[0]?.plain ?? [] }, ...rows] };
    case 'above each':
      return {
        columns,
        rows: rows.flatMap((row) => [{ label: `${row.label} ${PLAIN}`.trim(), pictures: row.plain }, row]),
      };
  }
}

function labelOf({ name }: Axis, { text }: AxisValue): string {
  if (name === 'preset') return text.replace(/^.*[\\/]/, '').replace(/\.json$/i, '');
  return name === 'prompt' ? text : `${name} ${text}`;
}

type PlainPlace = 'shown' | 'before' | 'above' | 'above each';

/** Where the plain pictures go, by the axes along which they change. `shown`: they are among the cells already. */
function plainPlace(cells: readonly SweptCell[]): PlainPlace {
  if (cells.some(({ cell }) => cell.parameters === undefined)) return 'shown';
  if (!changesAlong(cells, 'row')) return 'before';
  return changesAlong(cells, 'column') ? 'above each' : 'above';
}

/** Whether two cells of one row (or column) have two plain runs. */
function changesAlong(cells: readonly SweptCell[], line: 'row' | 'column'): boolean {
  const keys = new Map<number, string>();
  return cells.some(({ cell }) => {
    const key = plainKey(cell);
    const known = keys.get(cell[line]) ?? key;
    keys.set(cell[line], known);
    return known !== key;
  });
}
