import type { InspectReport, ReportEndpoint, ReportShare, ReportSite } from '../reports/index.ts';
import { type Field, factsTable, type Table, tableOf } from './table.ts';
import { formatBytes, formatCount, formatFlops, formatValue } from './units.ts';

const SITE_FIELDS: readonly Field<ReportSite>[] = [
  { key: 'id', title: 'site', of: ({ id }) => id },
  { key: 'kind', title: 'kind', of: ({ kind }) => kind },
  { key: 'block', title: 'block', of: ({ block }) => block },
  { key: 'level', title: 'level', unit: 'count', of: ({ level }) => level },
  { key: 'channels', title: 'channels', unit: 'count', of: ({ channels }) => channels },
  { key: 'heads', title: 'heads x dim', of: headsText },
  { key: 'grid', title: 'grid', of: ({ grid }) => (grid ? grid.join(' x ') : '-') },
  { key: 'tokens', title: 'tokens', unit: 'count', of: ({ tokens }) => tokens },
  { key: 'kv_tokens', title: 'K/V tokens', unit: 'count', of: ({ kv_tokens }) => kv_tokens },
  { key: 'context', title: 'context', unit: 'count', of: ({ context_channels }) => context_channels },
  { key: 'parameters', title: 'parameters', unit: 'count', of: ({ parameters }) => parameters },
  { key: 'attention', title: 'FLOPs', unit: 'flops', of: ({ flops }) => flops },
  { key: 'logits', title: 'logits', unit: 'bytes', of: ({ logits_bytes }) => logits_bytes },
  { key: 'exporter_name', title: 'exporter name', of: ({ exporter_name }) => exporter_name },
];

function headsText({ heads, head_dim }: ReportSite): string {
  return heads === null ? '?' : `${heads} x ${head_dim ?? '?'}`;
}

/** The table of sites of an inspect report: what `--csv` prints. */
export function siteTable({ sites, size }: InspectReport): Table {
  const at = size.pixels ? ` at ${size.pixels.width} x ${size.pixels.height} pixels` : '';
  const title = `Attentions${at}, batch ${size.batch}`;
  const patched = sites.some((site) => site.patched) ? [PATCHED] : [];
  const unknown = sites.some((site) => site.unknown !== null) ? [UNKNOWN] : [];
  return tableOf('sites', title, [...SITE_FIELDS, ...patched, ...unknown], sites);
}

const PATCHED: Field<ReportSite> = { key: 'patched', title: 'patched', of: ({ patched }) => (patched ? 'yes' : 'no') };
const UNKNOWN: Field<ReportSite> = { key: 'unknown', title: 'not known', of: (site) => site.unknown ?? '' };

/** All tables of an inspect report. */
export function inspectTables(report: InspectReport): Table[] {
  const { rejections, patch } = report;
  const tables = [factsTable('model', report.model, facts(report)), siteTable(report), shareTable(report)];
  if (rejections.length) tables.push(rejectionTable(report));
  if (patch) tables.push(parameterTable(patch.parameters));
  return [...tables, opTable(report)];
}

function facts({ family, size, inputs, outputs, nodes, weights, patch, ...report }: InspectReport): [string, string][] {
  const list = (items: readonly ReportEndpoint[]) => items.map(endpointText).join(', ') || 'none';
  const types = Object.entries(weights.stored_as).map(([type, count]) => `${formatCount(count)} as ${type}`);
  const inMemory = `${formatBytes(weights.loaded_bytes)} in memory`;
  const rows: [string, string][] = [
    ['family', `${family.name ?? 'unknown'} (${family.basis})`],
    ['made by', [report.generated_by, report.converted_by].filter(Boolean).join(', ') || 'not told'],
    ['size', sizeText(size)],
    ['inputs', list(inputs)],
    ['outputs', list(outputs)],
    ['nodes', String(nodes)],
    ['weights', `${formatCount(weights.parameters)} parameters in ${weights.count} weights (${types.join(', ')})`],
    ['bytes', `${formatBytes(weights.stored_bytes)} stored, ${inMemory}`],
    ['patch', patch ? `Slothful Attention, control input "${patch.control}"` : 'none'],
  ];
  return rows;
}

/** A size in words, without what the model has not. */
function sizeText({ rows, columns, batch, context_tokens, pixels }: InspectReport['size']): string {
  const parts = [`batch ${batch}`];
  if (pixels && rows !== null) {
    const isPicture = pixels.height === rows;
    parts.unshift(isPicture ? `${pixels.width} x ${pixels.height} pixels` : `${rows} x ${columns} latent`);
  }
  if (context_tokens !== null) parts.push(`${context_tokens} tokens of text`);
  return parts.join(', ');
}

/** An input or output in words: `sample [?, ?, ?, 4]`. */
function endpointText({ name, shape, optional }: ReportEndpoint): string {
  const sizes = shape ? `[${shape.map((size) => (size < 0 ? '?' : size)).join(', ')}]` : 'of any shape';
  return `${name} ${sizes}${optional ? ' (optional)' : ''}`;
}

interface NamedShare {
  readonly name: string;
  readonly share: ReportShare;
}

function shareTable({ totals }: InspectReport): Table {
  const fields: Field<NamedShare>[] = [
    { key: 'part', title: 'part', of: ({ name }) => name },
    { key: 'parameters', title: 'parameters', unit: 'count', of: ({ share }) => share.parameters },
    { key: 'parameter_share', title: 'of all', unit: 'share', of: ({ share }) => share.parameter_share },
    { key: 'compute', title: 'FLOPs', unit: 'flops', of: ({ share }) => share.flops },
    { key: 'flop_share', title: 'of all', unit: 'share', of: ({ share }) => share.flop_share },
  ];
  const all = { parameters: totals.parameters, parameter_share: 1, flops: totals.flops, flop_share: 1 };
  const rows = [
    { name: `${totals.self_sites} self-attentions`, share: totals.self },
    { name: `${totals.cross_sites} cross-attentions`, share: totals.cross },
    { name: 'convolutions', share: totals.convolutions },
    { name: 'the whole model', share: all },
  ];
  return tableOf('shares', 'Where weights and FLOPs are', fields, rows);
}

function rejectionTable({ rejections }: InspectReport): Table {
  const fields: Field<InspectReport['rejections'][number]>[] = [
    { key: 'softmax', title: 'softmax', of: ({ softmax }) => softmax },
    { key: 'reached', title: 'matched up to', of: ({ reached }) => reached },
    { key: 'reason', title: 'why it is not a site', of: ({ reason }) => reason },
    { key: 'node', title: 'at node', of: ({ node }) => node },
  ];
  return tableOf('rejections', 'Softmaxes that are not usable attentions', fields, rejections);
}

/** The parameters of a patch as rows. */
export function parameterTable(parameters: object): Table {
  const facts = Object.entries(parameters).map(([name, value]): [string, string] => [name, String(value)]);
  return factsTable('parameters', 'Parameters', facts);
}

function opTable({ ops }: InspectReport): Table {
  const fields: Field<[string, number]>[] = [
    { key: 'op', title: 'op', of: ([op]) => op },
    { key: 'nodes', title: 'nodes', unit: 'count', of: ([, count]) => count },
  ];
  return tableOf('ops', 'Ops', fields, Object.entries(ops));
}

/** One line that sums an inspect report up. */
export function inspectSummary({ totals, family, rejections }: InspectReport): string {
  const { self_sites, cross_sites, self, cross } = totals;
  const share = (value: number | null) => formatValue(value, 'share');
  const found = `${self_sites} self- and ${cross_sites} cross-attentions`;
  const part = (what: ReportShare) =>
    `${share(what.parameter_share)} of the weights and ${share(what.flop_share)} of the FLOPs`;
  const rest = rejections.length ? `; ${rejections.length} softmaxes rejected` : '';
  return `${family.name ?? 'unknown family'}: ${found}; self ${part(self)}, cross ${part(cross)} of ${formatFlops(totals.flops)}${rest}`;
}
