import { formatValue, type Unit } from './units.ts';

/** A cell: a text, a number in the unit of its column, or nothing that is known. */
export type Cell = string | number | null;

export interface TableColumn {
  /** Name for programs: the heading of a CSV file. */
  readonly key: string;
  readonly title: string;
  /** Absent for texts. */
  readonly unit?: Unit;
}

/** A part of a report as rows and columns; every printer makes its own of it. */
export interface Table {
  /** Name for programs. */
  readonly name: string;
  readonly title: string;
  readonly columns: readonly TableColumn[];
  readonly rows: readonly (readonly Cell[])[];
}

/** A cell as people read it. */
export function formatCell(cell: Cell, { unit }: TableColumn): string {
  if (typeof cell === 'string') return cell;
  return formatValue(cell, unit ?? 'count');
}

/** A column of one kind of item: its heading, and what it shows of one. */
export interface Field<T> extends TableColumn {
  readonly of: (item: T) => Cell;
}

/** A column of the first of an item's parts; nothing where it has none. */
export function ofFirst<P, T>({ of, ...column }: Field<P>, parts: (item: T) => readonly P[]): Field<T> {
  const first = (item: T): Cell => {
    const [part] = parts(item);
    return part === undefined ? null : of(part);
  };
  return { ...column, of: first };
}

/** A table of items by fields. */
export function tableOf<T>(name: string, title: string, fields: readonly Field<T>[], items: readonly T[]): Table {
  const columns = fields.map(({ of: _, ...column }) => column);
  return { name, title, columns, rows: items.map((item) => fields.map((field) => field.of(item))) };
}

/** A table of names and values. */
export function factsTable(name: string, title: string, facts: ReadonlyArray<readonly [string, string]>): Table {
  const columns = [
    { key: 'what', title: '' },
    { key: 'value', title: '' },
  ];
  return { name, title, columns, rows: facts };
}
