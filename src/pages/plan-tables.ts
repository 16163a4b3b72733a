import type { PlanReport, PlanSite, PlanStep, PlanTotals } from '../reports/index.ts';
import { parameterTable } from './inspect-tables.ts';
import { FIRST_FACT_FIELDS, STEP_FACT_FIELDS } from './plan-facts.ts';
import { type Field, factsTable, ofFirst, type Table, tableOf } from './table.ts';
import { formatBytes, formatFlops, formatValue } from './units.ts';

/** All tables of a plan. */
export function planTables(report: PlanReport): Table[] {
  const tables = [factsTable('plan', report.model, facts(report)), planSiteTable(report), stepTable(report)];
  if (report.idle.length) tables.push(idleTable(report));
  return [...tables, parameterTable(report.parameters)];
}

function facts({ family, size, schedule, backend, run }: PlanReport): [string, string][] {
  const { flops, self_flops, peak_logits_bytes: peak } = run;
  const pair = (what: { plain: number; patched: number }) =>
    `${formatFlops(what.plain)} plain, ${formatFlops(what.patched)} patched (${saved(what)} saved)`;
  return [
    ['family', `${family.name ?? 'unknown'} (${family.basis})`],
    [
      'size',
      `${size.pixels.width} x ${size.pixels.height} pixels, ${size.rows} x ${size.columns} latent, batch ${size.batch}`,
    ],
    ['run', schedule],
    ['backend', `${backend.name}, ${backend.strategy} attention, logits up to ${formatBytes(backend.logits_limit)}`],
    ['FLOPs of the run', pair(flops)],
    ['of self-attention', pair(self_flops)],
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
  { key: 'first', title: 'K/V first step', unit: 'count', of: ({ steps }) => steps[0]?.kv_tokens ?? null },
  { key: 'last', title: 'last step', unit: 'count', of: ({ steps }) => steps.at(-1)?.kv_tokens ?? null },
  ...FIRST_FACT_FIELDS.map((field) => ofFirst(field, ({ steps }: PlanSite) => steps)),
  { key: 'realised', title: 'realised', unit: 'factor', of: ({ steps }) => steps[0]?.reduction ?? null },
  { key: 'plain', title: 'FLOPs plain', unit: 'flops', of: (site) => site.plain.flops * site.steps.length },
  { key: 'patched', title: 'patched', unit: 'flops', of: ({ steps }) => flopsOf(steps) },
  { key: 'plain_logits', title: 'logits plain', unit: 'bytes', of: ({ plain }) => plain.logits_bytes },
  { key: 'peak_logits', title: 'at once', unit: 'bytes', of: ({ peak_logits_bytes }) => peak_logits_bytes },
  { key: 'verdict', title: 'what happens', of: ({ verdict }) => verdict },
  { key: 'exporter_name', title: 'exporter name', of: ({ exporter_name }) => exporter_name },
];

function flopsOf(steps: readonly PlanStep[]): number {
  return steps.reduce((total, { flops }) => total + flops, 0);
}

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
  { key: 'kv_plain', title: 'K/V plain', unit: 'count', of: ({ kv_tokens }) => kv_tokens.plain },
  { key: 'kv_patched', title: 'patched', unit: 'count', of: ({ kv_tokens }) => kv_tokens.patched },
  { key: 'plain', title: 'FLOPs plain', unit: 'flops', of: ({ flops }) => flops.plain },
  { key: 'patched', title: 'patched', unit: 'flops', of: ({ flops }) => flops.patched },
  { key: 'self_plain', title: 'self plain', unit: 'flops', of: ({ self_flops }) => self_flops.plain },
  { key: 'self_patched', title: 'patched', unit: 'flops', of: ({ self_flops }) => self_flops.patched },
  { key: 'logits_plain', title: 'logits plain', unit: 'bytes', of: ({ peak_logits_bytes }) => peak_logits_bytes.plain },
  { key: 'logits_patched', title: 'patched', unit: 'bytes', of: ({ peak_logits_bytes }) => peak_logits_bytes.patched },
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

interface SiteStepRow {
  readonly site: PlanSite;
  readonly step: PlanStep;
  readonly total: PlanTotals | undefined;
  readonly number: number;
  /** In words; empty where the site is not left alone. */
  readonly reason: string;
}

const SITE_STEP_FIELDS: readonly Field<SiteStepRow>[] = [
  { key: 'id', title: 'site', of: ({ site }) => site.id },
  { key: 'exporter_name', title: 'exporter name', of: ({ site }) => site.exporter_name },
  { key: 'step', title: 'step', unit: 'count', of: ({ number }) => number },
  { key: 'timestep', title: 'timestep', unit: 'number', of: ({ total }) => total?.timestep ?? null },
  { key: 'sigma', title: 'sigma', unit: 'number', of: ({ total }) => total?.sigma ?? null },
  ...STEP_FACT_FIELDS.map((field): Field<SiteStepRow> => ({ ...field, of: ({ step }) => field.of(step) })),
  { key: 'reduction', title: 'realised', unit: 'factor', of: ({ step }) => step.reduction },
  { key: 'tokens', title: 'tokens', unit: 'count', of: ({ step }) => step.tokens },
  { key: 'kv_tokens', title: 'K/V tokens', unit: 'count', of: ({ step }) => step.kv_tokens },
  { key: 'plain', title: 'FLOPs plain', unit: 'flops', of: ({ site }) => site.plain.flops },
  { key: 'patched', title: 'patched', unit: 'flops', of: ({ step }) => step.flops },
  { key: 'logits_plain', title: 'logits plain', unit: 'bytes', of: ({ site }) => site.plain.logits_bytes },
  { key: 'logits', title: 'logits', unit: 'bytes', of: ({ step }) => step.logits_bytes },
  { key: 'peak_logits', title: 'at once', unit: 'bytes', of: ({ step }) => step.peak_logits_bytes },
  { key: 'reason', title: 'left alone', of: ({ reason }) => reason },
];

/** A row a site and step: what `--csv` prints. */
export function siteStepTable({ sites, steps, reasons }: PlanReport): Table {
  const rows = sites.flatMap((site) =>
    site.steps.map((step, index): SiteStepRow => {
      const reason = step.reason === null ? '' : (reasons[step.reason] ?? step.reason);
      return { site, step, total: steps[index], number: index + 1, reason };
    }),
  );
  return tableOf('site_steps', 'Sites by step', SITE_STEP_FIELDS, rows);
}
