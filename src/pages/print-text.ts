import { formatCell, type Table } from './table.ts';

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
