import type { PlanReport, PlanSite, PlanStep, PlanTotals } from '../reports/plan-report.ts';
import { reasonText } from '../reports/verdict.ts';
import { sum } from '../reports/weights.ts';
import { parameterTable } from './inspect-tables.ts';
import { type Field, factsTable, type Table, tableOf } from './table.ts';
import { formatBytes, formatFlops, formatValue } from './units.ts';

/** All tables of a plan. */
export function planTables(report: PlanReport): Table[] {
  const tables = [factsTable('plan', report.model, facts(report)), planSiteTable(report), stepTable(report)];
  if (report.idle.length) tables.push(idleTable(report));
  return [...tables, parameterTable(report.parameters)];
}

function facts({ family, size, schedule, backend, run }: PlanReport): [string, string][] {
  const { flops, selfFlops, peakLogitsBytes: peak } = run;
  const pair = (what: { plain: number; patched: number }) =>
    `${formatFlops(what.plain)} plain, ${formatFlops(what.patched)} patched (${saved(what)} saved)`;
  return [
    ['family', `${family.name ?? 'unknown'} (${family.basis})`],
    [
      'size',
      `${size.pixels.width} x ${size.pixels.height} pixels, ${size.rows} x ${size.columns} latent, batch ${size.batch}`,
    ],
    ['run', schedule],
    ['backend', `${backend.name}, ${backend.strategy} attention, logits up to ${formatBytes(backend.logitsLimit)}`],
    ['FLOPs of the run', pair(flops)],
    ['of self-attention', pair(selfFlops)],
    ['largest logits', `${formatBytes(peak.plain)} plain, ${formatBytes(peak.patched)} patched`],
  ];
}

function saved({ plain, patched }: { plain: number; patched: number }): string {
  return formatValue(plain ? 1 - patched / plain : 0, 'share');
}

const SITE_FIELDS: readonly Field<PlanSite>[] = [
  { key: 'id', title: 'site', of: ({ id }) => id },
  { key: 'grid', title: 'grid', of: ({ grid }) => grid?.join(' x ') ?? '-' },
  { key: 'tokens', title: 'tokens', unit: 'count', of: ({ tokens }) => tokens },
  { key: 'first', title: 'K/V first step', unit: 'count', of: ({ steps }) => steps[0]?.kvTokens ?? null },
  { key: 'last', title: 'last step', unit: 'count', of: ({ steps }) => steps.at(-1)?.kvTokens ?? null },
  { key: 'asked', title: 'asked', unit: 'factor', of: ({ steps }) => steps[0]?.asked ?? null },
  { key: 'realised', title: 'realised', unit: 'factor', of: ({ steps }) => steps[0]?.reduction ?? null },
  { key: 'plain', title: 'FLOPs plain', unit: 'flops', of: (site) => site.plain.flops * site.steps.length },
  { key: 'patched', title: 'patched', unit: 'flops', of: ({ steps }) => sum(steps, ({ flops }) => flops) },
  { key: 'plain_logits', title: 'logits plain', unit: 'bytes', of: ({ plain }) => plain.logitsBytes },
  { key: 'peak_logits', title: 'at once', unit: 'bytes', of: ({ peakLogitsBytes }) => peakLogitsBytes },
  { key: 'verdict', title: 'what happens', of: ({ verdict }) => verdict },
  { key: 'exporter_name', title: 'exporter name', of: ({ exporterName }) => exporterName },
];

/** The self-attentions over the whole run. */
export function planSiteTable({ sites }: PlanReport): Table {
  const self = sites.filter(({ kind }) => kind === 'self');
  return tableOf('sites', 'Self-attentions over the run', SITE_FIELDS, self);
}

const STEP_FIELDS: readonly Field<PlanTotals & { readonly number: number }>[] = [
  { key: 'step', title: 'step', unit: 'count', of: ({ number }) => number },
  { key: 'timestep', title: 'timestep', unit: 'number', of: ({ timestep }) => timestep },
  { key: 'sigma', title: 'sigma', unit: 'number', of: ({ sigma }) => sigma },
  { key: 'time', title: 't', unit: 'number', of: ({ time }) => time },
  { key: 'kv_plain', title: 'K/V plain', unit: 'count', of: ({ kvTokens }) => kvTokens.plain },
  { key: 'kv_patched', title: 'patched', unit: 'count', of: ({ kvTokens }) => kvTokens.patched },
  { key: 'plain', title: 'FLOPs plain', unit: 'flops', of: ({ flops }) => flops.plain },
  { key: 'patched', title: 'patched', unit: 'flops', of: ({ flops }) => flops.patched },
  { key: 'self_plain', title: 'self plain', unit: 'flops', of: ({ selfFlops }) => selfFlops.plain },
  { key: 'self_patched', title: 'patched', unit: 'flops', of: ({ selfFlops }) => selfFlops.patched },
  { key: 'logits_plain', title: 'logits plain', unit: 'bytes', of: ({ peakLogitsBytes }) => peakLogitsBytes.plain },
  { key: 'logits_patched', title: 'patched', unit: 'bytes', of: ({ peakLogitsBytes }) => peakLogitsBytes.patched },
];

/** The whole model, step by step. */
export function stepTable({ steps }: PlanReport): Table {
  const rows = steps.map((step, index) => ({ ...step, number: index + 1 }));
  return tableOf('steps', 'Steps', STEP_FIELDS, rows);
}

function idleTable({ idle }: PlanReport): Table {
  const fields: Field<PlanReport['idle'][number]>[] = [
    { key: 'setting', title: 'setting', of: ({ setting }) => setting },
    { key: 'reason', title: 'why', of: ({ reason }) => reason },
  ];
  return tableOf('idle', 'Settings that change nothing here', fields, idle);
}

interface SiteStep {
  readonly site: PlanSite;
  readonly step: PlanStep;
  readonly total: PlanTotals | undefined;
  readonly number: number;
}

const SITE_STEP_FIELDS: readonly Field<SiteStep>[] = [
  { key: 'id', title: 'site', of: ({ site }) => site.id },
  { key: 'exporter_name', title: 'exporter name', of: ({ site }) => site.exporterName },
  { key: 'step', title: 'step', unit: 'count', of: ({ number }) => number },
  { key: 'timestep', title: 'timestep', unit: 'number', of: ({ total }) => total?.timestep ?? null },
  { key: 'sigma', title: 'sigma', unit: 'number', of: ({ total }) => total?.sigma ?? null },
  { key: 'asked', title: 'stride asked', unit: 'factor', of: ({ step }) => step.asked },
  { key: 'stride_rows', title: 'rows', unit: 'count', of: ({ step }) => step.strideRows },
  { key: 'stride_columns', title: 'columns', unit: 'count', of: ({ step }) => step.strideColumns },
  { key: 'reduction', title: 'realised', unit: 'factor', of: ({ step }) => step.reduction },
  { key: 'tokens', title: 'tokens', unit: 'count', of: ({ site }) => site.tokens },
  { key: 'kv_tokens', title: 'K/V tokens', unit: 'count', of: ({ step }) => step.kvTokens },
  { key: 'plain', title: 'FLOPs plain', unit: 'flops', of: ({ site }) => site.plain.flops },
  { key: 'patched', title: 'patched', unit: 'flops', of: ({ step }) => step.flops },
  { key: 'logits_plain', title: 'logits plain', unit: 'bytes', of: ({ site }) => site.plain.logitsBytes },
  { key: 'logits', title: 'logits', unit: 'bytes', of: ({ step }) => step.logitsBytes },
  { key: 'peak_logits', title: 'at once', unit: 'bytes', of: ({ step }) => step.peakLogitsBytes },
  { key: 'reason', title: 'left alone', of: ({ step }) => (step.reason === null ? '' : reasonText(step.reason)) },
];

/** A row a site and step: what `--csv` prints. */
export function siteStepTable({ sites, steps }: PlanReport): Table {
  const rows = sites.flatMap((site) =>
    site.steps.map((step, index): SiteStep => ({ site, step, total: steps[index], number: index + 1 })),
  );
  return tableOf('site_steps', 'Sites by step', SITE_STEP_FIELDS, rows);
}
