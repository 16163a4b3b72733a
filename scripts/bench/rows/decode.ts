import { join } from 'node:path';
import type { FamilyName } from '../../checkpoint/family.ts';
import { pipelineOf } from '../cache.ts';
import { type Finding, plainFinding, ratioFinding } from '../finding.ts';
import type { JobReport } from '../report.ts';
import { MEGABYTE, type Row, type RowOptions } from '../row.ts';
import { runJob } from '../run-job.ts';
import { minimum, ratioOf, seriesOf } from '../statistics.ts';
import { eachTrainedSize, isLarge, type StepSize } from '../step-sizes.ts';

/** Decoding latents by the VAE on the native backend: at once, and in tiles of half an edge. */
export const decodeRow: Row = {
  name: 'decode',
  describe: 'decode latents by the VAE on the native backend, at once and in tiles: time, memory',
  fullSize: true,
  run: (options) => eachTrainedSize(options, (family, size) => measure(family, size, options)),
};

async function measure(family: FamilyName, size: StepSize, { quick, log }: RowOptions): Promise<Finding[]> {
  const decoder = join(await pipelineOf(family, log), 'vae_decoder');
  const { side, pixels } = size;
  const name = `${family} ${pixels}`;
  log(`decode ${name}`);
  const report = await runJob('decode', [decoder, 'native', side, side / 2, quick || isLarge(size) ? 1 : 3]);
  return [timeFinding(name, report), memoryFinding(name, report), ...tilesFindings(name, report)];
}

function timeFinding(name: string, { values }: JobReport): Finding {
  const details = { 'load s': values.load ?? Number.NaN };
  return plainFinding('decode', `${name}: at once`, timesOf(values, 'plain', 'seconds'), 's', { details });
}

function memoryFinding(name: string, { values }: JobReport): Finding {
  return plainFinding('decode', `${name}: at once, peak memory`, [megabytesOf(values, 'plain')], 'MB');
}

/** Tiles against all at once. CPU time is told too: it depends less on what else the machine does. */
function tilesFindings(name: string, { values }: JobReport): Finding[] {
  const [tiled, plain] = [timesOf(values, 'tiled', 'seconds'), timesOf(values, 'plain', 'seconds')];
  const cpu = ratioOf(timesOf(values, 'tiled', 'cpu'), timesOf(values, 'plain', 'cpu'));
  const times = { s: minimum(tiled), 'against s': minimum(plain), 'CPU ratio': cpu.min };
  const [less, most] = [megabytesOf(values, 'tiled'), megabytesOf(values, 'plain')];
  const memory = { MB: less, 'against MB': most };
  return [
    ratioFinding('decode', `${name}: time, tiled / at once`, ratioOf(tiled, plain), times),
    ratioFinding('decode', `${name}: peak memory, tiled / at once`, ratioOf([less], [most]), memory),
  ];
}

function timesOf(values: JobReport['values'], way: 'plain' | 'tiled', what: 'seconds' | 'cpu'): number[] {
  return seriesOf(values, (turn) => `${way}/${turn}/${what}`);
}

function megabytesOf(values: JobReport['values'], way: 'plain' | 'tiled'): number {
  return (values[`${way}/rss`] ?? Number.NaN) / MEGABYTE;
}
