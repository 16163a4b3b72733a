import type { Drawing, InspectReport, ReportSite } from '../../reports/index.ts';
import type { ClientSite } from '../client/data.ts';
import { drawingSection } from '../drawings/print-drawings.ts';
import { inspectSummary, inspectTables } from '../inspect-tables.ts';
import { formatFlops, formatValue } from '../units.ts';
import { type Html, html } from './html.ts';
import { htmlPage, tableSection } from './page.ts';
import { type CellLook, CROSS_LEGEND, mapSection } from './unet-map.ts';

/**
 * An inspection as one self-contained page: the UNet as a U, coloured by where the FLOPs are, and every table.
 *
 * @param drawings of one site, to stand in the page too
 */
export function inspectPage(report: InspectReport, drawings: readonly Drawing[] = []): string {
  const { model, notes, sites } = report;
  const sections = inspectTables(report).map((table) =>
    table.name === 'sites' ? tableSection(table, { id: 'sites', siteOfRow: (row) => row }) : tableSection(table),
  );
  return htmlPage({
    title: `Attentions of ${model}`,
    summary: inspectSummary(report),
    notes,
    body: [...(sites.length ? [flopsMap(report)] : []), ...drawingSection(drawings), ...sections],
    data: { sites: sites.map(clientSite), steps: [] },
  });
}

function flopsMap({ sites }: InspectReport): Html {
  const most = Math.max(1, ...sites.map(({ flops }) => flops ?? 0));
  return mapSection(sites, {
    title: 'Where the attentions are',
    legend: html`<span class="ramp"></span> no FLOPs to ${formatFlops(most)}; the number is of tokens ${CROSS_LEGEND}`,
    label: 'The attentions of the UNet, coloured by their FLOPs',
    look: (index) => lookOf(sites[index], most),
  });
}

function lookOf(site: ReportSite | undefined, most: number): CellLook {
  if (!site) return { label: '', shade: 0, title: '' };
  const { id, tokens, flops } = site;
  const title = `${id}: ${tokens ?? '?'} tokens, ${formatValue(flops, 'flops')}`;
  return { label: tokens === null ? '?' : String(tokens), shade: (flops ?? 0) / most, title };
}

function clientSite(site: ReportSite): ClientSite {
  const { kind, block, level, channels, heads, head_dim, grid, tokens, kv_tokens } = site;
  const facts: [string, string][] = [
    ['site', site.id],
    ['exporter name', site.exporter_name],
    ['node', site.node],
    ['kind', `${kind}-attention, ${block} block, level ${level}${site.patched ? ', patched' : ''}`],
    ['heads', `${heads ?? '?'} x ${head_dim ?? '?'}, ${channels} channels`],
    ['queries', `${tokens ?? '?'}${grid ? ` (${grid.join(' x ')})` : ''}`],
    ['K/V', `${kv_tokens ?? '?'}, of ${site.context_channels} channels`],
    ['parameters', String(site.parameters)],
    ['FLOPs', formatValue(site.flops, 'flops')],
    ['logits', formatValue(site.logits_bytes, 'bytes')],
  ];
  return { facts: site.unknown ? [...facts, ['not known', site.unknown]] : facts, at: [], states: [], series: [] };
}
