import { type Cell, formatCell, type Table, type TableColumn } from '../table.ts';
import { escapeHtml } from './markup.ts';

/** What the cells of a table are marked with, so that a script can find them. */
export interface TableMarks {
  /** An id for the table. */
  readonly id?: string;
  /** A number for each row: the site that it is about. */
  readonly siteOfRow?: (row: number) => number | undefined;
}

/** A section with one table, whose headings sort it. */
export function tableSection(table: Table, marks: TableMarks = {}): string {
  const { title, rows } = table;
  const heading = `<h2>${escapeHtml(title)}</h2>`;
  if (!rows.length) return `<section>${heading}<p class="quiet">None.</p></section>`;
  return `<section>${heading}<div class="scroll">${htmlTable(table, marks)}</div></section>`;
}

/** A table; columns without a title are a list of names and values. */
export function htmlTable({ columns, rows }: Table, { id, siteOfRow }: TableMarks = {}): string {
  const heads = columns.some(({ title }) => title) ? `<thead><tr>${columns.map(head).join('')}</tr></thead>` : '';
  const body = rows.map((row, index) => {
    const site = siteOfRow?.(index);
    const mark = site === undefined ? '' : ` data-site="${site}"`;
    return `<tr${mark}>${columns.map((column, at) => cell(row[at] ?? null, column)).join('')}</tr>`;
  });
  const sortable = heads ? ' class="sortable"' : '';
  return `<table${id ? ` id="${id}"` : ''}${sortable}>${heads}<tbody>${body.join('\n')}</tbody></table>`;
}

function head({ title, unit, key }: TableColumn): string {
  const number = unit ? ' class="number"' : '';
  return `<th scope="col"${number} data-key="${escapeHtml(key)}"><button type="button">${escapeHtml(title)}</button></th>`;
}

/** Numbers carry their value, so that 9 GFLOP sorts behind 10 MFLOP. */
function cell(value: Cell, column: TableColumn): string {
  const text = escapeHtml(formatCell(value, column));
  if (!column.unit) return `<td class="name">${text}</td>`;
  return `<td class="number"${typeof value === 'number' ? ` data-v="${value}"` : ''}>${text}</td>`;
}
