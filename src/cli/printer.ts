import { harmless, replaceUnseen, shortened, visible } from '../errors.ts';
import { printText, type Table } from '../pages/index.ts';

/**
 * The one place from which commands print. Names of tensors, files and metadata are other people's text: in lines and tables
 * it is made visible and short, so that no terminal acts upon it; JSON means exactly what it did.
 */

/** Prints one line of a result. */
export function printLine(line = ''): void {
  process.stdout.write(`${visible(line)}\n`);
}

/** Prints tables as aligned text. */
export function printTables(tables: readonly Table[]): void {
  process.stdout.write(`${printText(tables.map(harmlessTable))}\n`);
}

/** Prints a document of several lines that was made of harmless parts or is for programs: CSV, Markdown, a drawing. */
export function printDocument(text: string): void {
  process.stdout.write(eachLine(text));
}

/** Prints a value as JSON. */
export function printJson(value: unknown): void {
  printJsonText(JSON.stringify(value, null, 2));
}

/** Prints a text that is JSON: what a terminal would act upon is escaped, which JSON reads as the same. */
export function printJsonText(text: string): void {
  process.stdout.write(`${escaped(text)}\n`);
}

/** Says one line on stderr: progress, notes, errors. */
export function sayLine(line: string): void {
  process.stderr.write(`${harmless(line)}\n`);
}

/** Says several lines on stderr, such as a stack. */
export function sayLines(text: string): void {
  process.stderr.write(`${eachLine(text)}\n`);
}

function eachLine(text: string): string {
  return text
    .split(/(\r?\n)/)
    .map((part, index) => (index % 2 ? part : visible(part)))
    .join('');
}

const JSON_SPACE = /[\n\r\t]/;

/** Inside of texts JSON has escaped what is white space to it. */
function escaped(json: string): string {
  return replaceUnseen(json, (unseen) => (JSON_SPACE.test(unseen) ? unseen : [...unseenUnits(unseen)].join('')));
}

function* unseenUnits(unseen: string): Generator<string> {
  for (let unit = 0; unit < unseen.length; unit++) {
    yield `\\u${unseen.charCodeAt(unit).toString(16).padStart(4, '0')}`;
  }
}

/** Prompts are long, and are shown whole. */
const MOST_OF_CELL = 1000;

/** Line ends in a cell would make lines of their own, which look like ours. */
function harmlessTable({ title, columns, rows, ...table }: Table): Table {
  const cell = (text: string) => shortened(visible(text), MOST_OF_CELL);
  return {
    ...table,
    title: cell(title),
    columns: columns.map((column) => ({ ...column, title: cell(column.title) })),
    rows: rows.map((row) => row.map((value) => (typeof value === 'string' ? cell(value) : value))),
  };
}
