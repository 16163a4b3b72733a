import type { PlanReport, PlanSite, PlanStep, PlanTotals } from '../../reports/index.ts';
import type { ClientCell, ClientData, ClientSite, ClientState, ClientStep } from '../client/data.ts';
import { SERIES_FIELDS, STATE_FIELDS, stepText } from '../plan-facts.ts';
import { formatCell } from '../table.ts';
import { formatBytes, formatFlops, formatValue } from '../units.ts';

/** A reduction of 16 and more has the hottest colour. */
const HOTTEST = Math.log2(16);

/** 0 where every token is a key, 1 where one of 16 is. */
export function shadeOf(reduction: number): number {
  return Math.min(1, Math.max(0, Math.log2(reduction) / HOTTEST));
}

/** A reduction in a few letters: `6.4x`; `1x` where there is none. */
export function reductionLabel(reduction: number): string {
  return `${Number(reduction.toPrecision(2))}x`;
}

/** What the script of a plan's page needs. */
export function planData({ sites, steps, reasons }: PlanReport): ClientData {
  return {
    sites: sites.map((site) => clientSite(site, reasons)),
    steps: steps.map((step, index) => clientStep(step, index, steps.length)),
  };
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
export function stepFigures({ kv_tokens, flops, self_flops, peak_logits_bytes }: PlanTotals): [string, string][] {
  const part = ({ plain, patched }: { plain: number; patched: number }) =>
    formatValue(plain ? patched / plain : 1, 'share');
  return [
    ['K/V tokens, of plain', part(kv_tokens)],
    ['FLOPs of self-attention, of plain', part(self_flops)],
    ['FLOPs of the model', formatFlops(flops.patched)],
    ['FLOPs, of plain', part(flops)],
    ['largest logits', formatBytes(peak_logits_bytes.patched)],
    ['largest logits, plain', formatBytes(peak_logits_bytes.plain)],
  ];
}

/** Sites have few states over a run, however long it is. */
function clientSite(site: PlanSite, reasons: PlanReport['reasons']): ClientSite {
  const all = site.steps.map((step) => stateOf(step, reasons));
  const keys = all.map((state) => JSON.stringify(state));
  const distinct = [...new Set(keys)];
  return {
    facts: siteFacts(site),
    at: keys.map((key) => distinct.indexOf(key)),
    states: distinct.flatMap((key) => all[keys.indexOf(key)] ?? []),
    series: SERIES_FIELDS.map((field) => {
      const values = site.steps.map((step) => formatCell(field.of(step), field));
      return { key: field.key, name: field.title, values };
    }),
  };
}

function siteFacts(site: PlanSite): [string, string][] {
  const { kind, block, level, channels, heads, head_dim, grid, tokens, plain } = site;
  return [
    ['site', site.id],
    ['exporter name', site.exporter_name],
    ['kind', `${kind}-attention, ${block} block, level ${level}`],
    ['heads', `${heads ?? '?'} x ${head_dim ?? '?'}, ${channels} channels`],
    ['queries', `${tokens}${grid ? ` (${grid.join(' x ')})` : ''}`],
    ['plain K/V', String(site.kv_tokens)],
    ['plain FLOPs', formatFlops(plain.flops)],
    ['plain logits', formatValue(plain.logits_bytes, 'bytes')],
    ['over the run', site.verdict],
  ];
}

function stateOf(step: PlanStep, reasons: PlanReport['reasons']): ClientState {
  const columns = stateColumns(step, reasons);
  const fact = (name: string, key: string): [string, string] => [name, columns[key]?.[0] ?? ''];
  return {
    label: reductionLabel(step.reduction),
    shade: Math.round(shadeOf(step.reduction) * 100) / 100,
    facts: [
      fact('realised', 'realised'),
      ...STATE_FIELDS.map(({ key, title }) => fact(title, key)),
      fact('K/V tokens', 'kv_tokens'),
      fact('FLOPs', 'patched'),
      fact('logits', 'logits'),
      fact('at once', 'peak_logits'),
      ['this step', stepText(step, reasons)],
    ],
    columns,
  };
}

/** The columns of the table of sites that change with the step. */
function stateColumns(step: PlanStep, reasons: PlanReport['reasons']): Record<string, ClientCell> {
  const { reduction, kv_tokens, flops, logits_bytes, peak_logits_bytes, reason } = step;
  const own = STATE_FIELDS.map((field) => [field.key, [formatCell(field.of(step), field), field.value(step)]] as const);
  return {
    kv_tokens: [String(kv_tokens), kv_tokens],
    realised: [formatValue(reduction, 'factor'), reduction],
    ...Object.fromEntries(own),
    patched: [formatFlops(flops), flops],
    logits: [formatValue(logits_bytes, 'bytes'), logits_bytes],
    peak_logits: [formatValue(peak_logits_bytes, 'bytes'), peak_logits_bytes],
    reason: [reason === null ? '' : (reasons[reason] ?? reason), null],
  };
}
