import { type Cell, formatCell, type Table } from './table.ts';

/** Tables as aligned text for a terminal; numbers stand to the right. */
export function printText(tables: readonly Table[]): string {
  return tables.map(printTable).join('\n\n');
}

/** One table as aligned text, titles and all. */
export function printTable({ title, columns, rows }: Table): string {
  if (!rows.length) return `${title}: none`;
  const cells = rows.map((row) => columns.map((column, index) => formatCell(row[index] ?? null, column)));
  const widths = columns.map((column, index) =>
    Math.max(column.title.length, ...cells.map((row) => row[index]?.length ?? 0)),
  );
  const line = (row: readonly string[]) =>
    row
      .map((cell, index) =>
        columns[index]?.unit ? cell.padStart(widths[index] ?? 0) : cell.padEnd(widths[index] ?? 0),
      )
      .join('  ')
      .trimEnd();
  const heads = columns.some((column) => column.title)
    ? [line(columns.map((column) => column.title)), widths.map((width) => '-'.repeat(width)).join('  ')]
    : [];
  return [`${title}`, ...heads, ...cells.map(line)].join('\n');
}

/** A table as CSV (RFC 4180): raw numbers in base units (bytes, FLOPs), empty cells where nothing is known. */
export function printCsv({ columns, rows }: Table): string {
  const lines = [columns.map(({ key, unit }) => (isMeasured(unit) ? `${key}_${unit}` : key)), ...rows];
  return `${lines.map((line) => line.map(quote).join(',')).join('\r\n')}\r\n`;
}

function isMeasured(unit: string | undefined): boolean {
  return unit === 'bytes' || unit === 'flops';
}

function quote(cell: Cell): string {
  if (cell === null) return '';
  const text = typeof cell === 'string' ? harmless(cell) : String(cell);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** Spreadsheets run a text that starts like a formula; node names of other people's models must not. */
function harmless(text: string): string {
  return /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
}

/** Tables as Markdown, for issues and pull requests. */
export function printMarkdown(title: string, tables: readonly Table[], notes: readonly string[] = []): string {
  const parts = [`# ${plain(title)}`, ...notes.map((note) => `> ${plain(note)}`), ...tables.map(section)];
  return `${parts.join('\n\n')}\n`;
}

function section({ title, columns, rows }: Table): string {
  if (!rows.length) return `## ${plain(title)}\n\nNone.`;
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  const heads = line(columns.map((column) => plain(column.title)));
  const rules = line(columns.map(({ unit }) => (unit ? '---:' : '---')));
  const body = rows.map((row) => line(columns.map((column, index) => plain(formatCell(row[index] ?? null, column)))));
  return [`## ${plain(title)}`, '', heads, rules, ...body].join('\n');
}

/** Names of nodes are other people's text: they must not become markup. */
function plain(text: string): string {
  return text.replace(/[\\`*_[\]<>|#~]/g, '\\$&').replace(/\s+/g, ' ');
}
