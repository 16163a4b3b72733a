import { open } from 'node:fs/promises';
import type { Argv } from 'yargs';
import { SlothfulError } from '../errors.ts';
import { atomicFile } from '../models/node.ts';
import { printCsv, printDot, printMarkdown, printSvg, type Table } from '../pages/index.ts';
import { type Drawing, type DrawnModel, drawSites, type RunSize } from '../reports/index.ts';
import { printDocument, printJson, printTables, sayLine } from './printer.ts';
import { printNote } from './terminal.ts';

/** What a command that reports was asked for. */
export interface ReportArguments {
  readonly json: boolean;
  readonly csv: boolean;
  readonly md: boolean;
  readonly html?: string | undefined;
  readonly force: boolean;
}

/** A report and what it is printed from. */
export interface PrintableReport {
  readonly title: string;
  /** The report itself: what `--json` prints. */
  readonly report: object;
  readonly tables: readonly Table[];
  /** The table that `--csv` prints. */
  readonly main: Table;
  /** What was read for it, which the page may not take the place of. */
  readonly inputs: ReadonlyArray<string | undefined>;
  readonly notes: readonly string[];
  readonly html: () => string;
}

/** Adds `--json`, `--csv`, `--md`, `--html FILE` and `--force`. */
export function withReportFlags<T>(cli: Argv<T>) {
  return cli
    .option('json', { type: 'boolean', default: false, describe: 'print the report as JSON' })
    .option('csv', { type: 'boolean', default: false, describe: 'print the main table as CSV, numbers in base units' })
    .option('md', { type: 'boolean', default: false, describe: 'print the tables as Markdown' })
    .option('html', { type: 'string', describe: 'also write a page to this file: one file, no network' })
    .option('force', { type: 'boolean', default: false, describe: 'replace a page that is there' });
}

/**
 * Prints a report in the form that was asked for, and writes its page where one was.
 *
 * @throws SlothfulError `usage` for two forms at once, `exists`, `io`
 */
export async function printReport(printable: PrintableReport, argv: ReportArguments): Promise<void> {
  const forms = (['json', 'csv', 'md'] as const).filter((form) => argv[form]);
  if (forms.length > 1) {
    throw new SlothfulError('usage', `--${forms.join(' --')}`, 'cannot all be printed at once', 'give one');
  }
  const { title, report, tables, main, notes } = printable;
  if (argv.html !== undefined) await writePage(argv.html, printable, argv.force);
  if (argv.json) printJson(report);
  else if (argv.csv) printDocument(printCsv(main));
  else if (argv.md) printDocument(printMarkdown(title, tables, notes));
  else {
    for (const note of notes) printNote(note);
    printTables(tables);
  }
}

async function writePage(path: string, { html, inputs }: PrintableReport, force: boolean): Promise<void> {
  await atomicFile(path, html(), { force, inputs: inputs.filter((input) => input !== undefined), isOurs: isPage });
  sayLine(`wrote ${path}`);
}

const PAGE_START = /^<!doctype html>\n<html lang="en">\n.*Content-Security-Policy.*<link rel="icon" href="data:,">/s;
const PAGE_START_BYTES = 16_384;

/** Whether a file begins as the pages of reports do. */
async function isPage(path: string): Promise<boolean> {
  const handle = await open(path, 'r');
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(PAGE_START_BYTES), 0, PAGE_START_BYTES, 0);
    return PAGE_START.test(buffer.toString('utf8', 0, bytesRead));
  } finally {
    await handle.close();
  }
}

/** The flags that ask for a drawing of one site. */
export interface SiteArguments {
  readonly site?: string | undefined;
  readonly dot: boolean;
  readonly svg: boolean;
}

/** Adds `--site ID`, `--dot` and `--svg`. */
export function withSiteFlags<T>(cli: Argv<T>) {
  return cli
    .option('site', {
      type: 'string',
      describe: 'draw this attention before and after, such as input.0.0.0 or down.0.0',
    })
    .option('dot', { type: 'boolean', default: false, describe: 'with --site: print the drawing for Graphviz' })
    .option('svg', { type: 'boolean', default: false, describe: 'with --site: print the drawing as SVG' });
}

/**
 * The drawings that the flags ask for; none where they ask for none.
 *
 * @throws SlothfulError `usage` for a site that is not there, or flags that need one
 */
export async function siteDrawings(
  argv: SiteArguments,
  models: () => Promise<readonly DrawnModel[]>,
  size: Partial<RunSize>,
): Promise<Drawing[]> {
  if (argv.site !== undefined) return drawSites(await models(), argv.site, size);
  const flag = argv.dot ? '--dot' : argv.svg ? '--svg' : undefined;
  if (flag)
    throw new SlothfulError('usage', flag, 'needs to know which attention', 'add --site, such as --site input.0.0.0');
  return [];
}

/** Prints drawings where they alone were asked for. Returns whether it did. */
export function printDrawings(argv: SiteArguments, drawings: readonly Drawing[]): boolean {
  if (argv.dot) printDocument(printDot(drawings));
  else if (argv.svg) printDocument(printSvg(drawings));
  return argv.dot || argv.svg;
}
