import type { PlanReport, PlanSite, PlanStep, PlanTotals } from '../../reports/plan-report.ts';
import { reasonText } from '../../reports/verdict.ts';
import { formatBytes, formatFlops, formatValue } from '../units.ts';
import type { ClientData, ClientSite, ClientState, ClientStep } from './client-data.ts';

/** A reduction of 16 and more has the hottest colour. */
const HOTTEST = Math.log2(16);

/** 0 where every token is a key, 1 where one of 16 is. */
export function shadeOf(reduction: number): number {
  return Math.min(1, Math.max(0, Math.log2(reduction) / HOTTEST));
}

/** A reduction in a few letters: `6.4x`; nothing where there is none. */
export function reductionLabel(reduction: number): string {
  if (reduction === 1) return '1x';
  return `${Number(reduction.toPrecision(2))}x`;
}

/** What the script of a plan's page needs. */
export function planData({ sites, steps }: PlanReport): ClientData {
  return { sites: sites.map(clientSite), steps: steps.map((step, index) => clientStep(step, index, steps.length)) };
}

/** The line above the map. */
function clientStep(step: PlanTotals, index: number, count: number): ClientStep {
  const { timestep, sigma, time } = step;
  const number = (value: number) => formatValue(value, 'number');
  return {
    title: `step ${index + 1} of ${count}: timestep ${number(timestep)}, sigma ${number(sigma)}, t ${number(time)}`,
    figures: stepFigures(step).map(([, value]) => value),
  };
}

/** The figures of a step: name and value. */
export function stepFigures({ kvTokens, flops, selfFlops, peakLogitsBytes }: PlanTotals): [string, string][] {
  const part = ({ plain, patched }: { plain: number; patched: number }) =>
    formatValue(plain ? patched / plain : 1, 'share');
  return [
    ['K/V tokens, of plain', part(kvTokens)],
    ['FLOPs of self-attention, of plain', part(selfFlops)],
    ['FLOPs of the model', formatFlops(flops.patched)],
    ['FLOPs, of plain', part(flops)],
    ['largest logits', formatBytes(peakLogitsBytes.patched)],
    ['largest logits, plain', formatBytes(peakLogitsBytes.plain)],
  ];
}

/** Sites have few states over a run, however long it is. */
function clientSite(site: PlanSite): ClientSite {
  const keys = site.steps.map(({ kvTokens, reason, clipped }) => `${kvTokens} ${reason} ${clipped}`);
  const distinct = [...new Set(keys)];
  const states = distinct.flatMap((key) => {
    const step = site.steps[keys.indexOf(key)];
    return step ? [stateOf(step)] : [];
  });
  return {
    facts: siteFacts(site),
    at: keys.map((key) => distinct.indexOf(key)),
    asked: site.steps.map(({ asked }) => formatValue(asked, 'factor').slice(0, -1)),
    states,
  };
}

function siteFacts(site: PlanSite): [string, string][] {
  const { kind, block, level, channels, heads, headDim, grid, tokens, plain } = site;
  return [
    ['site', site.id],
    ['exporter name', site.exporterName],
    ['kind', `${kind}-attention, ${block} block, level ${level}`],
    ['heads', `${heads ?? '?'} x ${headDim ?? '?'}, ${channels} channels`],
    ['queries', `${tokens}${grid ? ` (${grid.join(' x ')})` : ''}`],
    ['plain K/V', String(site.kvTokens)],
    ['plain FLOPs', formatFlops(plain.flops)],
    ['plain logits', formatValue(plain.logitsBytes, 'bytes')],
    ['over the run', site.verdict],
  ];
}

function stateOf(step: PlanStep): ClientState {
  const columns = stateColumns(step);
  const reason = step.reason === null ? 'pooled' : `left alone: ${reasonText(step.reason)}`;
  const fact = (name: string, key: string): [string, string] => [name, columns[key]?.[0] ?? ''];
  return {
    label: reductionLabel(step.reduction),
    shade: Math.round(shadeOf(step.reduction) * 100) / 100,
    facts: [
      fact('realised', 'realised'),
      fact('rows x columns', 'strides'),
      fact('K/V tokens', 'kv_tokens'),
      fact('FLOPs', 'patched'),
      fact('logits', 'logits'),
      fact('at once', 'peak_logits'),
      ['this step', step.clipped ? `${reason}; the window is clipped to the grid` : reason],
    ],
    columns,
  };
}

/** The columns of the table of sites that change with the step. */
export function stateColumns(step: PlanStep): Record<string, readonly [string, number | null]> {
  const { reduction, strideRows, strideColumns, kvTokens, flops, logitsBytes, peakLogitsBytes, reason } = step;
  return {
    kv_tokens: [String(kvTokens), kvTokens],
    realised: [formatValue(reduction, 'factor'), reduction],
    strides: [`${strideRows} x ${strideColumns}`, strideRows * strideColumns],
    patched: [formatFlops(flops), flops],
    logits: [formatValue(logitsBytes, 'bytes'), logitsBytes],
    peak_logits: [formatValue(peakLogitsBytes, 'bytes'), peakLogitsBytes],
    reason: [reason === null ? '' : reasonText(reason), null],
  };
}
