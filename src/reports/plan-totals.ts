import { timeFactor } from '../passes/index.ts';
import type { RunningParts } from './plan-parts.ts';
import type { PlanPair, PlanReport, PlanSite, PlanTotals, ScheduledStep } from './plan-report.ts';
import { sum } from './weights.ts';

/** What runs at a step: of the model as it is, and with the passes. */
export interface StepParts {
  readonly plain: RunningParts;
  readonly parts: RunningParts;
  /** Of the batch what the model as it is would be asked. */
  readonly plainShare: number;
}

/** One step of the whole model, plain against patched. */
export function stepTotals(
  sites: readonly PlanSite[],
  { timestep, sigma, index }: ScheduledStep & { readonly index: number },
  { plain, parts, plainShare }: StepParts,
): PlanTotals {
  const self = sites.filter(({ kind }) => kind === 'self');
  const cross = sites.filter(({ kind }) => kind === 'cross');
  const crossFlops = (running: RunningParts) => sum(cross.filter(running.runs), (site) => site.plain.flops);
  const selfFlops = {
    plain: sum(self, ({ plain }) => plain.flops),
    patched: sum(self, ({ steps }) => steps[index]?.flops ?? 0),
  };
  return {
    timestep,
    sigma,
    time: timeFactor(sigma),
    kv_tokens: {
      plain: sum(self, ({ kv_tokens }) => kv_tokens),
      patched: sum(self.filter(parts.runs), ({ steps }) => steps[index]?.kv_tokens ?? 0),
    },
    flops: {
      plain: plain.rest * plainShare + crossFlops(plain) + selfFlops.plain,
      patched: parts.rest + crossFlops(parts) / plainShare + selfFlops.patched,
    },
    self_flops: selfFlops,
    peak_logits_bytes: {
      plain: Math.max(0, ...sites.map(({ plain }) => plain.logits_bytes ?? 0)),
      patched: Math.max(0, ...sites.map((site) => site.steps[index]?.peak_logits_bytes ?? crossPeak(site))),
    },
  };
}

function crossPeak({ kind, peak_logits_bytes }: PlanSite): number {
  return kind === 'cross' ? (peak_logits_bytes ?? 0) : 0;
}

/** The whole run. */
export function runTotals(steps: readonly PlanTotals[]): PlanReport['run'] {
  const added = (of: (step: PlanTotals) => PlanPair): PlanPair => ({
    plain: sum(steps, (step) => of(step).plain),
    patched: sum(steps, (step) => of(step).patched),
  });
  return {
    flops: added(({ flops }) => flops),
    self_flops: added(({ self_flops }) => self_flops),
    peak_logits_bytes: {
      plain: Math.max(0, ...steps.map((step) => step.peak_logits_bytes.plain)),
      patched: Math.max(0, ...steps.map((step) => step.peak_logits_bytes.patched)),
    },
  };
}
