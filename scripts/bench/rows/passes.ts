import type { FamilyName } from '../../checkpoint/family.ts';
import { modelOf } from '../cache.ts';
import { type Finding, ratioFinding } from '../finding.ts';
import type { JobReport } from '../report.ts';
import type { Row, RowOptions } from '../row.ts';
import { runJob } from '../run-job.ts';
import { seriesOf } from '../statistics.ts';
import { type StepSize, stepSizes } from '../step-sizes.ts';

/** The most that a run with both passes may take of the plain one. */
const MOST: Readonly<Record<string, number>> = { 'sd15 512': 0.4, 'sd15 1024': 0.25 };
const STEPS = 20;
const INTERVAL = 3;

/** A run on the native backend with passes that save time, one and together, against the same run without. */
export const passesRow: Row = {
  name: 'passes',
  describe: `a run of ${STEPS} steps on the native backend: plain, Slothful Attention, DeepCache of ${INTERVAL}, both`,
  fullSize: true,
  async run(options) {
    const findings: Finding[] = [];
    for (const family of options.families) {
      for (const size of stepSizes(family, options.quick)) findings.push(...(await measure(family, size, options)));
    }
    return findings;
  },
};

async function measure(family: FamilyName, { pixels, side }: StepSize, { log }: RowOptions): Promise<Finding[]> {
  const model = await modelOf(family, log);
  const name = `${family} ${pixels}`;
  log(`passes ${name}`);
  const report = await runJob('passes', [model, 'native', side, STEPS, INTERVAL]);
  const plain = runOf(report, 'plain');
  return ['slothful', 'deepcache', 'both'].map((way) => {
    const run = runOf(report, way);
    const ratio = run.seconds / plain.seconds;
    const details = {
      's a step': run.seconds / STEPS,
      'against s': plain.seconds / STEPS,
      'CPU ratio': run.cpu / plain.cpu,
      steps: STEPS,
    };
    const target = way === 'both' ? MOST[name] : undefined;
    return ratioFinding('passes', `${name}: ${way} / plain`, { min: ratio, median: ratio }, details, target);
  });
}

/** Seconds of all steps together. */
function runOf({ values }: JobReport, way: string) {
  const sum = (what: string) => {
    return seriesOf(values, (step) => `${way}/${step}/${what}`).reduce((total, value) => total + value, 0);
  };
  return { seconds: sum('seconds'), cpu: sum('cpu') };
}
