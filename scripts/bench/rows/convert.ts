import { copyFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { cacheFolder, checkpointOf } from '../cache.ts';
import { type Finding, plainFinding, ratioFinding } from '../finding.ts';
import { MEGABYTE, type Row } from '../row.ts';
import { runConvert } from '../run-convert.ts';
import { minimum, ratioOf } from '../statistics.ts';

const MOST_TIME = 2;
const MOST_MEGABYTES = 400;

/** Converting a checkpoint against copying its bytes, in turns. What either makes is removed at once. */
export const convertRow: Row = {
  name: 'convert',
  describe: 'convert a full-size checkpoint, against a copy of the same bytes; peak memory',
  fullSize: true,
  async run({ families, quick, log }) {
    const findings: Finding[] = [];
    for (const family of families) {
      const { path, file, bytes } = await checkpointOf(family, log);
      const copies: number[] = [];
      const conversions: number[] = [];
      const memory: number[] = [];
      for (let turn = 0; turn < (quick ? 1 : 3); turn++) {
        log(`convert ${family}, turn ${turn + 1}`);
        copies.push(await timeCopy(file, join(cacheFolder(), family, 'copy')));
        const { values, rss } = await runConvert(family, path);
        conversions.push(values.seconds ?? Number.NaN);
        memory.push(rss / MEGABYTE);
      }
      const details = { 'convert s': minimum(conversions), 'cp s': minimum(copies), GB: bytes / 1e9 };
      const isTarget = family === 'sdxl';
      findings.push(
        ratioFinding(
          'convert',
          `${family}: time / cp`,
          ratioOf(conversions, copies),
          details,
          isTarget ? MOST_TIME : undefined,
        ),
        plainFinding('convert', `${family}: peak memory`, memory, 'MB', isTarget ? { target: MOST_MEGABYTES } : {}),
      );
    }
    return findings;
  },
};

/** Seconds of a copy in the kernel, as cp makes it. */
async function timeCopy(from: string, to: string): Promise<number> {
  const start = performance.now();
  await copyFile(from, to);
  const seconds = (performance.now() - start) / 1000;
  await rm(to);
  return seconds;
}
