import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { convertCheckpoint } from '../../../converters/index.ts';
import { BACKEND_NAMES } from '../../../src/backends/index.ts';
import { messageOf } from '../../../src/errors.ts';
import { cacheFolder } from '../cache.ts';
import { type Finding, ratioFinding } from '../finding.ts';
import { MEGABYTE, type Row } from '../row.ts';
import { runJob } from '../run-job.ts';
import { minimum, ratioOf } from '../statistics.ts';
import { type StepTimes, stepTimes } from '../step-times.ts';

const HEIGHT = 16;
const WIDTH = 16;

/** The same small UNet on every backend that works here: plain steps against native's, and patched against plain. */
export const backendsRow: Row = {
  name: 'backends',
  describe: 'the small UNet of the tests on native, wasm and cpu',
  fullSize: false,
  async run({ quick, log }) {
    const model = join(cacheFolder(), `small-${process.pid}`);
    await convertCheckpoint(fileURLToPath(new URL('../../../fixtures/unet/sd15/diffusers', import.meta.url)), model);
    try {
      return await measure(model, quick ? 3 : 7, log);
    } finally {
      await rm(model, { recursive: true, force: true });
    }
  },
};

async function measure(model: string, turns: number, log: (line: string) => void): Promise<Finding[]> {
  const findings: Finding[] = [];
  let first: StepTimes | undefined;
  for (const backend of BACKEND_NAMES) {
    log(`backend ${backend}`);
    try {
      const report = await runJob('step', [model, backend, HEIGHT, WIDTH, backend === 'cpu' ? 2 : turns, 999]);
      const plain = stepTimes(report, 'plain');
      first ??= plain;
      const details = { ms: minimum(plain.seconds) * 1000, 'peak MB': plain.rss / MEGABYTE };
      findings.push(
        ratioFinding('backends', `${backend}: plain / first`, ratioOf(plain.seconds, first.seconds), details),
        ratioFinding(
          'backends',
          `${backend}: t = 999 / plain`,
          ratioOf(stepTimes(report, 't999').seconds, plain.seconds),
          {},
        ),
      );
    } catch (error) {
      log(`backend ${backend} is left out: ${messageOf(error)}`);
    }
  }
  return findings;
}
