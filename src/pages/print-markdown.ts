import { formatCell, type Table } from './table.ts';

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
