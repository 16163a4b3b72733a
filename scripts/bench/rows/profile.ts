import { modelOf } from '../cache.ts';
import type { Part } from '../clock-step.ts';
import { type Finding, ratioFinding } from '../finding.ts';
import type { JobReport } from '../report.ts';
import type { Row } from '../row.ts';
import { runJob } from '../run-job.ts';
import { median, minimum, type Ratio, ratioOf } from '../statistics.ts';
import {
  attentionSeconds,
  fastest,
  restProducts,
  restSeconds,
  type StepProfile,
  secondsByTokens,
  stepProfiles,
  sum,
} from '../step-profile.ts';
import { isLarge, stepSizes } from '../step-sizes.ts';

const GIGA = 1e9;

/** Where the time of a UNet step goes on the native backend, and so what fewer K/V tokens can win at most. */
export const profileRow: Row = {
  name: 'profile',
  describe: 'where a step on the native backend spends its time, and what bounds patched / plain',
  fullSize: true,
  async run({ families, quick, log }) {
    const findings: Finding[] = [];
    for (const family of families) {
      for (const size of stepSizes(family, quick)) {
        const { pixels, side } = size;
        const model = await modelOf(family, log);
        log(`profile ${family} ${pixels}`);
        const report = await runJob('profile', [model, side, side, quick || isLarge(size) ? 1 : 3]);
        const found = profileFindings(`${family} ${pixels}`, report);
        if (!found.length) log('no profile: the kernels of a GPU cannot be timed from outside');
        findings.push(...found);
      }
    }
    return findings;
  },
};

/**
 * What a profile job measured, as findings: the ratio of the steps, the self-attentions' share of each, and the ratio as
 * it would be if the plain step's self-attentions took no time, or took it in proportion to the patched one's K/V tokens.
 *
 * @param name family and size
 * @returns none where nothing was measured
 */
export function profileFindings(name: string, report: JobReport): Finding[] {
  const [plain, patched] = [stepProfiles(report, 'plain'), stepProfiles(report, 't999')];
  const [ofPlain, ofPatched] = [fastest(plain), fastest(patched)];
  if (!ofPlain || !ofPatched) return [];
  const finding = (what: string, ratio: Ratio, details: Finding['details']) =>
    ratioFinding('profile', `${name}: ${what}`, ratio, details);
  return [
    finding('t = 999 / plain', ratioOf(patched.map(unclocked), plain.map(unclocked)), clocksOf(patched, plain)),
    finding('plain, self-attention / step', ofTurns(plain, attentionShare), partsOf(ofPlain)),
    finding('t = 999, self-attention / step', ofTurns(patched, attentionShare), partsOf(ofPatched)),
    finding(
      'self-attention for nothing / plain',
      ofTurns(plain, (profile) => restSeconds(profile) / profile.clocked),
      restOf(ofPlain, report),
    ),
    finding(
      'self-attention by its K/V tokens / plain',
      ofTurns(plain, (profile) => (restSeconds(profile) + secondsByTokens(profile, ofPatched)) / profile.clocked),
      {
        'self-attention s': secondsByTokens(ofPlain, ofPatched),
        'K/V tokens': sum(ofPatched.sites, ({ kv }) => kv),
        of: sum(ofPatched.sites, ({ tokens }) => tokens),
      },
    ),
  ];
}

function unclocked({ seconds }: StepProfile): number {
  return seconds;
}

function attentionShare({ sites, clocked }: StepProfile): number {
  return sum(sites, attentionSeconds) / clocked;
}

/** That of the fastest turn, and the median. */
function ofTurns(turns: readonly StepProfile[], ratio: (profile: StepProfile) => number): Ratio {
  const first = fastest(turns);
  return { min: first ? ratio(first) : Number.NaN, median: median(turns.map(ratio)) };
}

/** The clocks cost nothing where both times of a step are the same. */
function clocksOf(patched: readonly StepProfile[], plain: readonly StepProfile[]): Finding['details'] {
  return {
    s: minimum(patched.map(unclocked)),
    'against s': minimum(plain.map(unclocked)),
    'with clocks s': minimum(patched.map(({ clocked }) => clocked)),
    'against with clocks s': minimum(plain.map(({ clocked }) => clocked)),
  };
}

function partsOf(profile: StepProfile): Finding['details'] {
  const part = (name: Part) => sum(profile.sites, ({ seconds }) => seconds[name]);
  return {
    s: sum(profile.sites, attentionSeconds),
    'logits s': part('logits'),
    'softmax s': part('softmax'),
    'product with V s': part('product'),
    'projections of K and V s': part('keysValues'),
    'pooling and copies s': part('other'),
    'rest s': restSeconds(profile),
  };
}

/** The rest of a step, and how fast its products are beside a large one alone. */
function restOf(profile: StepProfile, { values }: JobReport): Finding['details'] {
  const flops = (values.flops ?? Number.NaN) - sum(profile.sites, (site) => site.flops);
  const details = { 'rest s': restSeconds(profile), 'products and convolutions s': restProducts(profile) };
  if (Number.isNaN(flops)) return details;
  const rates = {
    GFLOP: flops / GIGA,
    'GFLOPS of products and convolutions': flops / restProducts(profile) / GIGA,
    'GFLOPS of a large product': (values['product/flops'] ?? Number.NaN) / GIGA,
  };
  return { ...details, ...rates };
}
