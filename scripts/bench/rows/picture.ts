import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { FamilyName } from '../../checkpoint/family.ts';
import { cacheFolder, pipelineOf } from '../cache.ts';
import { type Finding, plainFinding, ratioFinding } from '../finding.ts';
import { MEGABYTE, type Row, type RowOptions } from '../row.ts';
import { runJob } from '../run-job.ts';
import { RUN_SHARES, type RunShare, runShares } from '../run-phases.ts';
import { ratioOf } from '../statistics.ts';
import { eachTrainedSize, isLarge, type StepSize } from '../step-sizes.ts';

const PROMPT = 'a photograph of an astronaut riding a horse';
const STEPS = 4;

/** `slothful run` of a whole pipeline on the native backend, from words to a PNG. */
export const pictureRow: Row = {
  name: 'picture',
  describe: `from a prompt to a PNG in ${STEPS} steps on the native backend: time and what it is spent on, memory`,
  fullSize: true,
  run: (options) => eachTrainedSize(options, (family, size) => measure(family, size, options)),
};

interface Turn {
  readonly seconds: number;
  readonly megabytes: number;
  readonly shares: Readonly<Record<RunShare, number>>;
}

async function measure(family: FamilyName, size: StepSize, { quick, log }: RowOptions): Promise<Finding[]> {
  const pipeline = await pipelineOf(family, log);
  const name = `${family} ${size.pixels}`;
  const turns: Turn[] = [];
  for (let turn = 0; turn < (quick || isLarge(size) ? 1 : 2); turn++) {
    log(`picture ${name}, turn ${turn + 1}`);
    turns.push(await draw(pipeline, join(cacheFolder(), family, 'picture'), size));
  }
  const seconds = turns.map((turn) => turn.seconds);
  const share = (which: RunShare) => {
    const part = turns.map(({ shares }) => shares[which]);
    return ratioFinding('picture', `${name}: ${which} / all`, ratioOf(part, seconds), { s: Math.min(...part) });
  };
  return [
    plainFinding('picture', `${name}: ${STEPS} steps, with guidance`, seconds, 's'),
    ...RUN_SHARES.map(share),
    plainFinding(
      'picture',
      `${name}: peak memory`,
      turns.map(({ megabytes }) => megabytes),
      'MB',
    ),
  ];
}

/** One run. What it writes is removed at once. */
async function draw(pipeline: string, out: string, { pixels }: StepSize): Promise<Turn> {
  const told = ['--prompt', PROMPT, '--steps', STEPS, '--size', `${pixels}x${pixels}`];
  const { values, rss } = await runJob('command', [
    'run',
    pipeline,
    ...told,
    '--backend',
    'native',
    '--out',
    out,
    '--force',
  ]);
  const record: unknown = JSON.parse(await readFile(join(out, 'run.json'), 'utf8'));
  await rm(out, { recursive: true });
  const seconds = values.seconds ?? Number.NaN;
  return { seconds, megabytes: rss / MEGABYTE, shares: runShares(record, seconds) };
}
