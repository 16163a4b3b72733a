import type { Argv } from 'yargs';
import { SlothfulError } from '../../errors.ts';
import { atomicFile } from '../../models/node.ts';
import { printCsv, printMarkdown, printText, type Table } from '../../pages/index.ts';

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
    .option('force', { type: 'boolean', default: false, describe: 'replace a file that is there' });
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
  if (argv.html !== undefined) await writePage(argv.html, printable.html(), argv.force);
  if (argv.json) console.log(JSON.stringify(report, null, 2));
  else if (argv.csv) process.stdout.write(printCsv(main));
  else if (argv.md) process.stdout.write(printMarkdown(title, tables, notes));
  else {
    for (const note of notes) console.error(`note: ${note}`);
    console.log(printText(tables));
  }
}

async function writePage(path: string, page: string, force: boolean): Promise<void> {
  await atomicFile(path, page, { force });
  console.error(`wrote ${path}`);
}
