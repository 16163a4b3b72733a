import { pipelineOf } from '../cache.ts';
import { type Finding, plainFinding } from '../finding.ts';
import { MEGABYTE, type Row } from '../row.ts';
import { runJob } from '../run-job.ts';
import { seriesOf } from '../statistics.ts';

/** Encoding a prompt and a negative prompt by the text encoders of a pipeline, on the native backend. */
export const encodeRow: Row = {
  name: 'encode',
  describe: 'encode a prompt and a negative prompt on the native backend: time, memory',
  fullSize: true,
  async run({ families, quick, log }) {
    const findings: Finding[] = [];
    for (const family of families) {
      const pipeline = await pipelineOf(family, log);
      log(`encode ${family}`);
      const { rss, values } = await runJob('encode', [pipeline, 'native', quick ? 2 : 5]);
      const seconds = seriesOf(values, (turn) => `${turn}/seconds`);
      const times = { 'first s': seconds[0] ?? Number.NaN, 'load s': values.load ?? Number.NaN };
      const weights = { 'weights MB': (values.weights ?? Number.NaN) / MEGABYTE };
      findings.push(
        plainFinding('encode', `${family}: prompt and negative`, seconds, 's', { details: times }),
        plainFinding('encode', `${family}: peak memory`, [rss / MEGABYTE], 'MB', { details: weights }),
      );
    }
    return findings;
  },
};
