import { readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { FamilyName } from '../../checkpoint/family.ts';
import { cacheFolder, modelOf } from '../cache.ts';
import { type Finding, plainFinding } from '../finding.ts';
import { MEGABYTE, type Row, type RowOptions } from '../row.ts';
import { type JobResult, runJob } from '../run-job.ts';

const MOST_SECONDS = 1.5;
const MOST_NEW_MEGABYTES = 5;
/** Anything more would be weights: what the commands read beside model.json are shapes and scales. */
const MOST_READ_MEGABYTES = 10;

/** `slothful inspect` of a full-size model. */
export const inspectRow: Row = {
  name: 'inspect',
  describe: 'inspect a full-size model: time, memory, bytes read',
  fullSize: true,
  run: (options) =>
    eachFamily(options, async (family, turns) => {
      const model = await modelOf(family, options.log);
      const results = await repeat(turns, () => runJob('command', ['inspect', model, '--json']));
      const read = results.map(({ values }) => (values.bytesRead ?? Number.NaN) / MEGABYTE);
      return [
        ...timeAndMemory('inspect', family, results),
        plainFinding('inspect', `${family}: read`, read, 'MB', { target: MOST_READ_MEGABYTES }),
      ];
    }),
};

/** `slothful patch` of a full-size model. */
export const patchRow: Row = {
  name: 'patch',
  describe: 'patch a full-size model: time, memory, bytes of new files',
  fullSize: true,
  run: (options) =>
    eachFamily(options, async (family, turns) => {
      const model = await modelOf(family, options.log);
      const out = join(cacheFolder(), family, 'patched');
      const fresh: number[] = [];
      const results = await repeat(turns, async () => {
        await rm(out, { recursive: true, force: true });
        const result = await runJob('command', ['patch', model, out]);
        fresh.push((await newBytes(out)) / MEGABYTE);
        return result;
      });
      await rm(out, { recursive: true });
      return [
        ...timeAndMemory('patch', family, results),
        plainFinding('patch', `${family}: new files`, fresh, 'MB', { target: MOST_NEW_MEGABYTES }),
      ];
    }),
};

async function eachFamily(
  { families, quick, log }: RowOptions,
  measure: (family: FamilyName, turns: number) => Promise<Finding[]>,
): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const family of families) {
    log(`document ${family}`);
    findings.push(...(await measure(family, quick ? 1 : 5)));
  }
  return findings;
}

async function repeat<T>(turns: number, run: () => Promise<T>): Promise<T[]> {
  const results: T[] = [];
  for (let turn = 0; turn < turns; turn++) results.push(await run());
  return results;
}

/** Of the command itself; the process, with the compiler that runs TypeScript, is in the details. */
function timeAndMemory(row: string, family: FamilyName, results: readonly JobResult[]): Finding[] {
  const seconds = results.map(({ values }) => values.seconds ?? Number.NaN);
  const details = { 'process s': Math.min(...results.map((result) => result.seconds)) };
  const memory = results.map(({ rss }) => rss / MEGABYTE);
  return [
    plainFinding(row, `${family}: time`, seconds, 's', { target: MOST_SECONDS, details }),
    plainFinding(row, `${family}: peak memory`, memory, 'MB'),
  ];
}

/** Bytes of the files that no other folder shares. */
async function newBytes(folder: string): Promise<number> {
  const stats = await Promise.all((await readdir(folder)).map((name) => stat(join(folder, name))));
  return stats.filter(({ nlink }) => nlink === 1).reduce((sum, { size }) => sum + size, 0);
}
