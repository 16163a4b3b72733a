import type { InspectReport, ReportSite } from '../../reports/inspect-report.ts';
import { inspectSummary, inspectTables } from '../inspect-tables.ts';
import { formatFlops, formatValue } from '../units.ts';
import { boxHead } from './box-head.ts';
import type { ClientSite } from './client-data.ts';
import { tableSection } from './html-table.ts';
import { CROSS_LEGEND, mapSection } from './map-section.ts';
import { htmlPage } from './page.ts';
import type { CellLook } from './u-map.ts';

/** An inspection as one self-contained page: the UNet as a U, coloured by where the FLOPs are, and every table. */
export function inspectPage(report: InspectReport, figures: readonly string[] = []): string {
  const { model, notes, sites } = report;
  const sections = inspectTables(report).map((table) =>
    table.name === 'sites' ? tableSection(table, { id: 'sites', siteOfRow: (row) => row }) : tableSection(table),
  );
  return htmlPage({
    title: `Attentions of ${model}`,
    summary: inspectSummary(report),
    notes,
    body: [...(sites.length ? [flopsMap(report)] : []), ...figures, ...sections],
    data: { sites: sites.map(clientSite), steps: [] },
  });
}

function flopsMap({ sites }: InspectReport): string {
  const most = Math.max(1, ...sites.map(({ flops }) => flops ?? 0));
  return mapSection(sites, {
    title: 'Where the attentions are',
    legend: `<span class="ramp"></span> no FLOPs to ${formatFlops(most)}; the number is of tokens ${CROSS_LEGEND}`,
    label: 'The attentions of the UNet, coloured by their FLOPs',
    look: (index) => lookOf(sites[index], most),
    headOf: (box) => boxHead(box, sites),
  });
}

function lookOf(site: ReportSite | undefined, most: number): CellLook {
  if (!site) return { label: '', shade: 0, title: '' };
  const { id, tokens, flops } = site;
  const title = `${id}: ${tokens ?? '?'} tokens, ${formatValue(flops, 'flops')}`;
  return { label: tokens === null ? '?' : String(tokens), shade: (flops ?? 0) / most, title };
}

function clientSite(site: ReportSite): ClientSite {
  const { kind, block, level, channels, heads, headDim, grid, tokens, kvTokens } = site;
  const facts: [string, string][] = [
    ['site', site.id],
    ['exporter name', site.exporterName],
    ['node', site.node],
    ['kind', `${kind}-attention, ${block} block, level ${level}${site.patched ? ', patched' : ''}`],
    ['heads', `${heads ?? '?'} x ${headDim ?? '?'}, ${channels} channels`],
    ['queries', `${tokens ?? '?'}${grid ? ` (${grid.join(' x ')})` : ''}`],
    ['K/V', `${kvTokens ?? '?'}, of ${site.contextChannels} channels`],
    ['parameters', String(site.parameters)],
    ['FLOPs', formatValue(site.flops, 'flops')],
    ['logits', formatValue(site.logitsBytes, 'bytes')],
  ];
  return { facts: site.unknown ? [...facts, ['not known', site.unknown]] : facts, at: [], asked: [], states: [] };
}
