import { checkpointOf, modelOf } from '../cache.ts';
import { type Finding, ratioFinding } from '../finding.ts';
import { MEGABYTE, type Row } from '../row.ts';
import { runJob } from '../run-job.ts';
import { minimum, ratioOf } from '../statistics.ts';

const MOST = 1.15;
const FLOAT_BYTES = 4;

/** Peak memory of loading on the native backend, against the bytes of the weights as float32. */
export const loadRow: Row = {
  name: 'load',
  describe: 'load a full-size model: peak memory against the bytes of its weights in float32',
  fullSize: true,
  async run({ families, quick, log }) {
    const findings: Finding[] = [];
    for (const family of families) {
      const model = await modelOf(family, log);
      const weights = (await checkpointOf(family, log)).parameters * FLOAT_BYTES;
      const peaks: number[] = [];
      const seconds: number[] = [];
      for (let turn = 0; turn < (quick ? 1 : 2); turn++) {
        log(`load ${family}, turn ${turn + 1}`);
        const { rss, values } = await runJob('load', [model]);
        peaks.push(rss);
        seconds.push(values.seconds ?? Number.NaN);
      }
      const details = { 'peak MB': minimum(peaks) / MEGABYTE, 'weights MB': weights / MEGABYTE, s: minimum(seconds) };
      const ratio = ratioOf(
        peaks,
        Array.from(peaks, () => weights),
      );
      findings.push(
        ratioFinding('load', `${family}: peak / fp32 bytes`, ratio, details, family === 'sd15' ? MOST : undefined),
      );
    }
    return findings;
  },
};
