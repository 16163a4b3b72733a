import type { Cell, Table } from './table.ts';

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
