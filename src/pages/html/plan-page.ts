import type { PlanReport, PlanSite } from '../../reports/plan-report.ts';
import { reasonText } from '../../reports/verdict.ts';
import { planTables } from '../plan-tables.ts';
import { type Field, type Table, tableOf } from '../table.ts';
import { formatFlops, formatValue } from '../units.ts';
import { boxHead } from './box-head.ts';
import { type HeatRow, heatmap } from './heatmap.ts';
import { tableSection } from './html-table.ts';
import { CROSS_LEGEND, mapSection } from './map-section.ts';
import { htmlPage } from './page.ts';
import { planData, reductionLabel, shadeOf, stepFigures } from './plan-data.ts';
import { PLOT_LEGEND, stepPlot } from './plot.ts';
import type { CellLook } from './u-map.ts';

/** A plan as one self-contained page: the UNet as a U that a slider takes through the steps, plots, and every table. */
export function planPage(report: PlanReport): string {
  const { model, size, run, schedule, notes } = report;
  const saved = formatValue(run.flops.plain ? 1 - run.flops.patched / run.flops.plain : 0, 'share');
  const pixels = `${size.pixels.width} x ${size.pixels.height} pixels, batch ${size.batch}`;
  return htmlPage({
    title: `Slothful Attention plan: ${model}`,
    summary: `${pixels}; ${schedule}; ${formatFlops(run.flops.plain)} plain, ${formatFlops(run.flops.patched)} patched, ${saved} saved`,
    notes,
    body: [stepMap(report), heatSection(report), plotSection(report), ...tableSections(report)],
    data: planData(report),
  });
}

function stepMap(report: PlanReport): string {
  const { sites, steps } = report;
  const [first] = steps;
  const last = Math.max(0, steps.length - 1);
  const figures = first ? stepFigures(first).map(([name, value]) => `<li><b>${value}</b> ${name}</li>`) : [];
  return mapSection(sites, {
    title: 'Keys and values, step by step',
    controls: `<div class="steps"><label for="step">Step</label><input id="step" type="range" min="0" max="${last}" value="0" step="1">
<output id="step-title" for="step">step 1 of ${steps.length}</output></div>
<ul class="figures" aria-live="polite">${figures.join('')}</ul>`,
    legend: `<span class="ramp"></span> every token is a key (1x) to one in 16 (16x) ${CROSS_LEGEND}`,
    label: 'The attentions of the UNet, coloured by K/V reduction',
    look: (index) => lookOf(sites[index]),
    headOf: (box) => boxHead(box, sites),
  });
}

function lookOf(site: PlanSite | undefined): CellLook {
  const step = site?.steps[0];
  if (!site || !step) return { label: '', shade: 0, title: `${site?.id ?? ''}: ${site?.verdict ?? ''}` };
  return {
    label: reductionLabel(step.reduction),
    shade: shadeOf(step.reduction),
    title: `${site.id}: ${site.verdict}`,
  };
}

function heatSection({ sites, steps }: PlanReport): string {
  const groups = new Map<string, PlanSite[]>();
  for (const site of sites.filter(({ kind }) => kind === 'self')) {
    const key = `${site.block} ${site.level}, ${site.tokens} tokens`;
    groups.set(key, [...(groups.get(key) ?? []), site]);
  }
  const rows = [...groups].map(([name, group]): HeatRow => {
    const [site] = group;
    return {
      name: `${name} (${group.length})`,
      cells: (site?.steps ?? []).map((step, index) => heatCell(name, step, index)),
    };
  });
  const note = 'K/V tokens of each self-attention by block and level (how many there are), over the steps.';
  return `<section class="figure"><h2>The whole run</h2><p class="quiet">${note}</p><div class="scroll">${heatmap(`${note} ${steps.length} steps`, rows)}</div></section>`;
}

function heatCell(name: string, step: PlanSite['steps'][number], index: number): HeatRow['cells'][number] {
  const why = step.reason === null ? `asked ${formatValue(step.asked, 'factor')}` : reasonText(step.reason);
  const title = `${name}, step ${index + 1}: ${step.kvTokens} keys (${reductionLabel(step.reduction)}), ${why}`;
  return { shade: shadeOf(step.reduction), label: String(step.kvTokens), title };
}

function plotSection({ steps }: PlanReport): string {
  const plot = (
    title: string,
    unit: 'flops' | 'bytes' | 'count',
    key: 'flops' | 'selfFlops' | 'peakLogitsBytes' | 'kvTokens',
  ) =>
    `<div>${stepPlot({ title, unit, plain: steps.map((step) => step[key].plain), patched: steps.map((step) => step[key].patched) })}</div>`;
  const plots = [
    plot('FLOPs of the model', 'flops', 'flops'),
    plot('FLOPs of self-attention', 'flops', 'selfFlops'),
    plot('Largest logits tensor', 'bytes', 'peakLogitsBytes'),
    plot('K/V tokens of all self-attentions', 'count', 'kvTokens'),
  ];
  return `<section class="figure"><h2>Cost of each step</h2>${PLOT_LEGEND}<div class="plots">${plots.join('')}</div></section>`;
}

function tableSections(report: PlanReport): string[] {
  const sites = siteNowTable(report);
  const indices = report.sites.flatMap(({ kind }, index) => (kind === 'self' ? [index] : []));
  const now = tableSection(sites, { id: 'sites', siteOfRow: (row) => indices[row] });
  return [now, ...planTables(report).map((table) => tableSection(table))];
}

const NOW_FIELDS: readonly Field<PlanSite>[] = [
  { key: 'id', title: 'site', of: ({ id }) => id },
  { key: 'tokens', title: 'tokens', unit: 'count', of: ({ tokens }) => tokens },
  { key: 'asked', title: 'stride asked', unit: 'number', of: ({ steps }) => steps[0]?.asked ?? null },
  { key: 'realised', title: 'realised', unit: 'factor', of: ({ steps }) => steps[0]?.reduction ?? null },
  {
    key: 'strides',
    title: 'rows x columns',
    unit: 'count',
    of: ({ steps }) => (steps[0] ? `${steps[0].strideRows} x ${steps[0].strideColumns}` : null),
  },
  { key: 'kv_tokens', title: 'K/V tokens', unit: 'count', of: ({ steps }) => steps[0]?.kvTokens ?? null },
  { key: 'plain', title: 'FLOPs plain', unit: 'flops', of: ({ plain }) => plain.flops },
  { key: 'patched', title: 'patched', unit: 'flops', of: ({ steps }) => steps[0]?.flops ?? null },
  { key: 'plain_logits', title: 'logits plain', unit: 'bytes', of: ({ plain }) => plain.logitsBytes },
  { key: 'logits', title: 'patched', unit: 'bytes', of: ({ steps }) => steps[0]?.logitsBytes ?? null },
  { key: 'peak_logits', title: 'at once', unit: 'bytes', of: ({ steps }) => steps[0]?.peakLogitsBytes ?? null },
  { key: 'reason', title: 'left alone', of: ({ steps }) => (steps[0]?.reason ? reasonText(steps[0].reason) : '') },
  { key: 'exporter_name', title: 'exporter name', of: ({ exporterName }) => exporterName },
];

/** The self-attentions at the step of the slider; as it is written, at the first. */
function siteNowTable({ sites }: PlanReport): Table {
  const self = sites.filter(({ kind }) => kind === 'self');
  return tableOf('now', 'Self-attentions at this step', NOW_FIELDS, self);
}
