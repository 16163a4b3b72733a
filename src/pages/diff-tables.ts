import type { DiffReport, DiffSide, DiffSite } from '../reports/index.ts';
import { type Field, type Table, tableOf } from './table.ts';
import { formatBytes, formatCount, formatFlops } from './units.ts';

/** All tables of a comparison; those of things that are the same are left out. */
export function diffTables(report: DiffReport): Table[] {
  const tables = [sideTable(report), diffSiteTable(report), weightTable(report), nodeTable(report)];
  if (report.ops.length) tables.push(opTable(report));
  if (report.parameters.length) tables.push(parameterTable(report));
  return tables;
}

interface SideRow {
  readonly name: string;
  readonly of: (side: DiffSide) => string;
}

const SIDE_ROWS: readonly SideRow[] = [
  { name: 'family', of: ({ family }) => family ?? 'unknown' },
  { name: 'patched', of: ({ slothful }) => (slothful ? 'yes' : 'no') },
  { name: 'nodes', of: ({ nodes }) => String(nodes) },
  { name: 'parameters', of: ({ parameters }) => formatCount(parameters) },
  { name: 'bytes stored', of: ({ stored_bytes }) => formatBytes(stored_bytes) },
  { name: 'bytes in memory', of: ({ loaded_bytes }) => formatBytes(loaded_bytes) },
  { name: 'FLOPs without pooling', of: ({ flops }) => formatFlops(flops) },
];

function sideTable({ a, b }: DiffReport): Table {
  const fields: Field<SideRow>[] = [
    { key: 'what', title: 'what', of: ({ name }) => name },
    { key: 'a', title: `a: ${a.model}`, of: (row) => row.of(a) },
    { key: 'b', title: `b: ${b.model}`, of: (row) => row.of(b) },
  ];
  return tableOf('models', 'Models', fields, SIDE_ROWS);
}

const SITE_FIELDS: readonly Field<DiffSite>[] = [
  { key: 'id', title: 'site', of: ({ id }) => id },
  { key: 'kind', title: 'kind', of: ({ kind }) => kind },
  { key: 'change', title: 'change', of: changeText },
  { key: 'details', title: 'what', of: ({ details }) => details.join('; ') },
  { key: 'node_a', title: 'node of a', of: ({ a }) => a?.node ?? '' },
  { key: 'node_b', title: 'node of b', of: ({ b }) => b?.node ?? '' },
  { key: 'exporter_name', title: 'exporter name', of: ({ exporter_name }) => exporter_name },
];

/** What changed at an attention, in words. */
export function changeText({ change, b }: DiffSite): string {
  if (change !== 'same_result') return change;
  return b?.patched ? 'same result, one node' : 'same result, stock ops';
}

/** The attentions that are not the same, those of the same result included. What `--csv` prints. */
export function diffSiteTable({ sites, counts }: DiffReport): Table {
  const changed = sites.filter(({ change }) => change !== 'same');
  return tableOf('sites', `Attentions: ${countsText(counts)}`, SITE_FIELDS, changed);
}

function countsText({ attentions, can_differ, same_result }: DiffReport['counts']): string {
  const others = same_result ? `, ${same_result} are made another way and compute the same` : '';
  return `results of ${can_differ} of ${attentions} can change${others}`;
}

interface CountRow {
  readonly name: string;
  readonly count: number;
  readonly names: readonly string[];
}

const LISTED = 3;

function countTable(name: string, title: string, rows: readonly CountRow[]): Table {
  const fields: Field<CountRow>[] = [
    { key: 'what', title: '', of: (row) => row.name },
    { key: 'count', title: 'how many', unit: 'count', of: ({ count }) => count },
    { key: 'names', title: 'which', of: ({ names }) => listText(names) },
  ];
  return tableOf(name, title, fields, rows);
}

/** The first few, and how many more. */
function listText(names: readonly string[]): string {
  const more = names.length - LISTED;
  return `${names.slice(0, LISTED).join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}

function weightTable({ weights }: DiffReport): Table {
  const { compared_by, equal, equal_parameters, shared, different, reshaped, added, removed } = weights;
  const how = compared_by === 'bytes' ? 'equal to the byte' : 'of the same shape and type (bytes not read)';
  const inFiles = shared === null ? '' : `; ${shared} of them in the same file on disk`;
  return countTable('weights', 'Weights', [
    { name: how, count: equal, names: [`${formatCount(equal_parameters)} parameters${inFiles}`] },
    row('of other values', different),
    row('of another shape or type', reshaped),
    row('only in a', removed),
    row('only in b', added),
  ]);
}

function row(name: string, names: readonly string[]): CountRow {
  return { name, count: names.length, names };
}

function nodeTable({ nodes, inputs, outputs }: DiffReport): Table {
  const all = [
    { name: 'nodes that are the same', count: nodes.same, names: [] },
    row('nodes changed', nodes.changed),
    row('nodes only in a', nodes.removed),
    row('nodes only in b', nodes.added),
    row('inputs only in a', inputs.removed),
    row('inputs only in b', inputs.added),
    row('outputs only in a', outputs.removed),
    row('outputs only in b', outputs.added),
  ];
  return countTable(
    'nodes',
    'Nodes',
    all.filter(({ name, count }) => count > 0 || name.startsWith('nodes')),
  );
}

function opTable({ ops }: DiffReport): Table {
  const fields: Field<DiffReport['ops'][number]>[] = [
    { key: 'op', title: 'op', of: ({ op }) => op },
    { key: 'a', title: 'a', unit: 'count', of: ({ a }) => a },
    { key: 'b', title: 'b', unit: 'count', of: ({ b }) => b },
    { key: 'change', title: 'change', unit: 'count', of: ({ a, b }) => b - a },
  ];
  return tableOf('ops', 'Ops', fields, ops);
}

function parameterTable({ parameters }: DiffReport): Table {
  const fields: Field<DiffReport['parameters'][number]>[] = [
    { key: 'parameter', title: 'parameter', of: ({ name }) => name },
    { key: 'a', title: 'a', of: ({ a }) => a ?? '-' },
    { key: 'b', title: 'b', of: ({ b }) => b ?? '-' },
  ];
  return tableOf('parameters', 'Parameters', fields, parameters);
}

/** One line that sums a comparison up. */
export function diffSummary({ counts, nodes, weights, parameters }: DiffReport): string {
  const same = weights.compared_by === 'bytes' ? 'equal weights' : 'weights of the same shape';
  const parts = [
    `attentions: ${countsText(counts)}`,
    `${nodes.added.length} nodes added, ${nodes.removed.length} removed, ${nodes.changed.length} changed`,
    `${weights.equal} ${same}, ${weights.different.length + weights.reshaped.length} different`,
    `${parameters.length} parameters changed`,
  ];
  return parts.join('; ');
}
