import type { FamilyName } from '../../checkpoint/family.ts';
import { modelOf } from '../cache.ts';
import { type Finding, plainFinding, ratioFinding } from '../finding.ts';
import { MEGABYTE, type Row, type RowOptions } from '../row.ts';
import { runJob } from '../run-job.ts';
import { minimum, ratioOf } from '../statistics.ts';
import { isLarge, type StepSize, stepSizes } from '../step-sizes.ts';
import { type StepTimes, stepTimes } from '../step-times.ts';

/** The most that the step at t = 999 may take of the plain one. */
const MOST: Readonly<Record<string, number>> = { 'sd15 512': 0.7, 'sd15 1024': 0.45 };
const TIMESTEPS = [999, 600, 200] as const;
const NEVER_SLOWER = 1.02;

/** One UNet step on the native backend, patched with defaults, against the same without pooling and as converted, in turns. */
export const stepRow: Row = {
  name: 'step',
  describe: 'one step on the native backend, plain and patched: time, memory, K/V tokens',
  fullSize: true,
  async run(options) {
    const findings: Finding[] = [];
    for (const family of options.families) {
      for (const size of stepSizes(family, options.quick)) {
        findings.push(...(await measure(family, size, options)));
      }
    }
    return findings;
  },
};

async function measure(family: FamilyName, size: StepSize, { quick, log }: RowOptions): Promise<Finding[]> {
  const model = await modelOf(family, log);
  const { side } = size;
  const name = `${family} ${size.pixels}`;
  log(`step ${name}`);
  const turns = quick ? 2 : isLarge(size) ? 3 : 5;
  // The graph of stock ops is measured too where its logits fit the memory.
  const withStock = !isLarge(size);
  const report = await runJob('step', [model, 'native', side, side, turns, TIMESTEPS.join(), withStock ? 'stock' : '']);
  const plain = stepTimes(report, 'plain');
  // "Plain" is the patched model's path without pooling, the harder of the two to be faster than; the graph as it was
  // converted is told beside it where its logits fit the memory.
  const mostAt = (timestep: number) => (timestep === 999 ? (MOST[name] ?? NEVER_SLOWER) : NEVER_SLOWER);
  const findings = TIMESTEPS.map((timestep) =>
    compare(`${name}: t = ${timestep} / plain`, stepTimes(report, `t${timestep}`), plain, mostAt(timestep)),
  );
  if (withStock) {
    const stock = stepTimes(report, 'stock');
    findings.push(compare(`${name}: t = 999 / stock ops`, stepTimes(report, 't999'), stock, mostAt(999)));
    findings.push(compare(`${name}: plain / stock ops`, plain, stock, NEVER_SLOWER));
  }
  const memory = plainFinding('step', `${name}: plain, peak memory`, [plain.rss / MEGABYTE], 'MB', { target: 24_000 });
  return [...findings, memory];
}

function compare(what: string, one: StepTimes, other: StepTimes, most: number): Finding {
  const details = {
    s: minimum(one.seconds),
    'against s': minimum(other.seconds),
    'CPU ratio': ratioOf(one.cpu, other.cpu).min,
    'K/V tokens': one.kv,
    of: one.tokens,
    'peak MB': one.rss / MEGABYTE,
  };
  return ratioFinding('step', what, ratioOf(one.seconds, other.seconds), details, most);
}
