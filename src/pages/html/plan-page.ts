import type { PlanReport, PlanSite, PlanStep } from '../../reports/index.ts';
import { SERIES_FIELDS, STATE_FIELDS, whyText } from '../plan-facts.ts';
import { planTables } from '../plan-tables.ts';
import { type Field, ofFirst, type Table, tableOf } from '../table.ts';
import { formatFlops, formatValue } from '../units.ts';
import { type Html, html } from './html.ts';
import { htmlPage, tableSection } from './page.ts';
import { type HeatRow, heatmap, PLOT_LEGEND, stepPlot } from './plan-charts.ts';
import { planData, reductionLabel, shadeOf, stepFigures } from './plan-data.ts';
import { type CellLook, CROSS_LEGEND, mapSection } from './unet-map.ts';

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

function stepMap({ sites, steps }: PlanReport): Html {
  const [first] = steps;
  const last = Math.max(0, steps.length - 1);
  const figures = first ? stepFigures(first).map(([name, value]) => html`<li><b>${value}</b> ${name}</li>`) : [];
  return mapSection(sites, {
    title: 'Keys and values, step by step',
    controls: html`<div class="steps"><label for="step">Step</label><input id="step" type="range" min="0" max="${last}" value="0" step="1">
<output id="step-title" for="step">step 1 of ${steps.length}</output></div>
<ul class="figures" aria-live="polite">${figures}</ul>`,
    legend: html`<span class="ramp"></span> every token is a key (1x) to one in 16 (16x) ${CROSS_LEGEND}`,
    label: 'The attentions of the UNet, coloured by K/V reduction',
    look: (index) => lookOf(sites[index]),
  });
}

function lookOf(site: PlanSite | undefined): CellLook {
  const title = `${site?.id ?? ''}: ${site?.verdict ?? ''}`;
  const step = site?.steps[0];
  if (!step) return { label: '', shade: 0, title };
  return { label: reductionLabel(step.reduction), shade: shadeOf(step.reduction), title };
}

function heatSection({ sites, steps, reasons }: PlanReport): Html {
  const groups = new Map<string, PlanSite[]>();
  for (const site of sites.filter(({ kind }) => kind === 'self')) {
    const key = `${site.block} ${site.level}, ${site.tokens} tokens`;
    groups.set(key, [...(groups.get(key) ?? []), site]);
  }
  const rows = [...groups].map(([name, group]): HeatRow => {
    const cells = (group[0]?.steps ?? []).map((step, index) => {
      const keys = `${step.kv_tokens} keys (${reductionLabel(step.reduction)})`;
      const title = `${name}, step ${index + 1}: ${keys}, ${whyText(step, reasons)}`;
      return { shade: shadeOf(step.reduction), label: String(step.kv_tokens), title };
    });
    return { name: `${name} (${group.length})`, cells };
  });
  const note = 'K/V tokens of each self-attention by block and level (how many there are), over the steps.';
  const map = heatmap(`${note} ${steps.length} steps`, rows);
  return html`<section class="figure"><h2>The whole run</h2><p class="quiet">${note}</p><div class="scroll">${map}</div></section>`;
}

const PLOTS = [
  ['FLOPs of the model', 'flops', 'flops'],
  ['FLOPs of self-attention', 'flops', 'self_flops'],
  ['Largest logits tensor', 'bytes', 'peak_logits_bytes'],
  ['K/V tokens of all self-attentions', 'count', 'kv_tokens'],
] as const;

function plotSection({ steps }: PlanReport): Html {
  const plots = PLOTS.map(([title, unit, key]) => {
    const [plain, patched] = [steps.map((step) => step[key].plain), steps.map((step) => step[key].patched)];
    return html`<div>${stepPlot({ title, unit, plain, patched })}</div>`;
  });
  return html`<section class="figure"><h2>Cost of each step</h2>${PLOT_LEGEND}<div class="plots">${plots}</div></section>`;
}

function tableSections(report: PlanReport): Html[] {
  const indices = report.sites.flatMap(({ kind }, index) => (kind === 'self' ? [index] : []));
  const now = tableSection(siteNowTable(report), { id: 'sites', siteOfRow: (row) => indices[row] });
  return [now, ...planTables(report).map((table) => tableSection(table))];
}

/** The self-attentions at the step of the slider; as it is written, at the first. */
function siteNowTable({ sites, reasons }: PlanReport): Table {
  const ofStep = (field: Field<PlanStep>) => ofFirst(field, ({ steps }: PlanSite) => steps);
  const fields: readonly Field<PlanSite>[] = [
    { key: 'id', title: 'site', of: ({ id }) => id },
    { key: 'tokens', title: 'tokens', unit: 'count', of: ({ tokens }) => tokens },
    ...SERIES_FIELDS.map(ofStep),
    ofStep({ key: 'realised', title: 'realised', unit: 'factor', of: ({ reduction }) => reduction }),
    ...STATE_FIELDS.map(({ value: _, ...field }) => ofStep(field)),
    ofStep({ key: 'kv_tokens', title: 'K/V tokens', unit: 'count', of: ({ kv_tokens }) => kv_tokens }),
    { key: 'plain', title: 'FLOPs plain', unit: 'flops', of: ({ plain }) => plain.flops },
    ofStep({ key: 'patched', title: 'patched', unit: 'flops', of: ({ flops }) => flops }),
    { key: 'plain_logits', title: 'logits plain', unit: 'bytes', of: ({ plain }) => plain.logits_bytes },
    ofStep({ key: 'logits', title: 'patched', unit: 'bytes', of: ({ logits_bytes }) => logits_bytes }),
    ofStep({ key: 'peak_logits', title: 'at once', unit: 'bytes', of: (step) => step.peak_logits_bytes }),
    ofStep({ key: 'reason', title: 'left alone', of: ({ reason }) => (reason ? (reasons[reason] ?? reason) : '') }),
    { key: 'exporter_name', title: 'exporter name', of: (site) => site.exporter_name },
  ];
  const self = sites.filter(({ kind }) => kind === 'self');
  return tableOf('now', 'Self-attentions at this step', fields, self);
}
