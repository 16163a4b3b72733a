import { isObject } from '../../src/graph/index.ts';

/** What a job tells of itself when it is done: one line of JSON, the last on its stdout. */
export interface JobReport {
  /** Peak memory of the process, in bytes. */
  readonly rss: number;
  /** What it measured. */
  readonly values: Readonly<Record<string, number>>;
}

const MARK = 'bench-report ';

/** Called by a job at its end. */
export function printReport(values: Readonly<Record<string, number>>): void {
  const report: JobReport = { rss: peakMemory(), values };
  process.stdout.write(`${MARK}${JSON.stringify(report)}\n`);
}

/** Peak resident memory of this process so far, in bytes. */
export function peakMemory(): number {
  return process.resourceUsage().maxRSS * 1024;
}

/** The report in what a job has printed; undefined where there is none. */
export function parseReport(stdout: string): JobReport | undefined {
  const line = stdout.split('\n').findLast((text) => text.startsWith(MARK));
  if (line === undefined) return undefined;
  const report: unknown = JSON.parse(line.slice(MARK.length));
  if (!isObject(report) || typeof report.rss !== 'number' || !isObject(report.values)) return undefined;
  const values = Object.entries(report.values).filter(
    (entry): entry is [string, number] => typeof entry[1] === 'number',
  );
  return { rss: report.rss, values: Object.fromEntries(values) };
}
