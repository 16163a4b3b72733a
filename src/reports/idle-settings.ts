import { type DepthRange, type SlothfulParameters, sideOf } from '../passes/index.ts';
import type { IdleSetting, PlanSite } from './plan-report.ts';
import { reasonText } from './plan-step.ts';

const SIDES = ['input', 'output'] as const;
const PREFIX = { input: 'in', output: 'out' } as const;

/** Settings that change nothing in a run, each with the reason: the answer to "why does this do nothing?". */
export function idleSettings(
  parameters: SlothfulParameters,
  sites: readonly PlanSite[],
  depth: DepthRange,
): IdleSetting[] {
  const self = sites.filter(({ kind }) => kind === 'self');
  const found = SIDES.flatMap((side) => sideSettings(parameters, side, self, depth));
  if (!self.some(({ block }) => block === 'middle')) {
    found.push({ setting: 'keep_middle', reason: 'the model has no self-attention in its middle block' });
  }
  if (self.every((site) => site.steps.every((step) => step.reason !== null))) {
    found.push({
      setting: 'all',
      reason: 'no self-attention is pooled at any step: the run is that of the unpatched model',
    });
  }
  return found;
}

function sideSettings(
  parameters: SlothfulParameters,
  side: 'input' | 'output',
  self: readonly PlanSite[],
  depth: DepthRange,
): IdleSetting[] {
  const { kBlend, vBlend, mode, depthDecay } = sideOf(parameters, side);
  const prefix = PREFIX[side];
  const own = self.filter(({ block }) => (side === 'output' ? block === 'output' : block !== 'output'));
  const pooled = own.some((site) => site.steps.some((step) => step.reason === null));
  if (!pooled) {
    const reason = own.length
      ? `no ${side} block is pooled at any step: ${whyNot(own)}`
      : `the model has no ${side} site`;
    return ['mode', 'k_blend', 'v_blend', 'strength'].map((name) => ({ setting: `${prefix}_${name}`, reason }));
  }
  const idle: IdleSetting[] = [];
  if (kBlend === 0 && vBlend === 0) {
    const [shape] = mode.split('_');
    const reason = `with both blends 0 nothing is pooled, only sampled: ${shape}_AVG and ${shape}_MAX are the same`;
    idle.push({ setting: `${prefix}_mode`, reason });
  }
  const from = depthDecay >= 0 ? depth.top : depth.deep;
  if (own.every(({ downscale }) => downscale === from)) {
    idle.push({
      setting: `${prefix}_depth_decay`,
      reason: `all ${side} sites are of the level that decay starts from`,
    });
  }
  return idle;
}

function whyNot(own: readonly PlanSite[]): string {
  const reasons = new Set(own.flatMap((site) => site.steps.flatMap(({ reason }) => (reason === null ? [] : [reason]))));
  return [...reasons].map(reasonText).join(', or ');
}
