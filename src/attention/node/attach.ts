import { SlothfulError } from '../../errors.ts';
import { attr, type Endpoint, endpoint, type Graph } from '../../graph/index.ts';
import {
  encodeAttributes,
  type NodeAttributes,
  nameInputs,
  orderInputs,
  readAttributes,
  stagesOf,
} from './contract.ts';
import { readAttentionRecord } from './read-record.ts';
import { type AttentionRecord, type PatchedSite, writeAttentionRecord } from './record.ts';
import { type AttentionStage, expectStage, offRow } from './stage.ts';

/** Name of the input that carries the control table. */
export const CONTROL_INPUT = 'slothful_control';

/**
 * Attaches a stage to attention nodes, and gives it columns of its own in the control table, a row a site. The table is an
 * optional input, [sites, columns] float32, whose default leaves every site as it is; it stays out of the signature, so
 * that callers who feed inputs by position are not disturbed.
 *
 * A second time it changes nothing.
 *
 * @param selects which of the recorded sites
 * @returns the sites that have the stage now
 * @throws SlothfulError `unsupported` where the graph has no attention nodes, or none that was selected
 */
export function attachStage(
  graph: Graph,
  stage: AttentionStage,
  selects: (site: PatchedSite) => boolean,
): readonly PatchedSite[] {
  const record = readAttentionRecord(graph);
  const sites = record?.sites.filter(selects) ?? [];
  if (!record || !sites.length) {
    const cure = 'run "slothful inspect" on it';
    throw new SlothfulError('unsupported', 'the graph', `has no attention that "${stage.name}" could act on`, cure);
  }
  const attached = sitesWithStage(graph, record, stage.name);
  if (attached.length) {
    writeAttentionRecord(graph, record);
    return attached;
  }
  const first = record.columns.length;
  const columns = [...record.columns, ...stage.columns.map(({ name }) => `${stage.name}.${name}`)];
  const rows = Math.max(...sites.map((site) => record.sites.indexOf(site) + 1), rowsOf(graph, record));
  const control = placeControl(graph, record.control, rows, defaultsOf([...stagesOfRecord(record), stage]));
  for (const site of sites) addToNode(graph, site, { stage, first, control });
  writeAttentionRecord(graph, { ...record, control: control.node, columns });
  return sites;
}

/** The recorded sites that have a stage. */
export function sitesWithStage(graph: Graph, record: AttentionRecord, stage: string): readonly PatchedSite[] {
  return record.sites.filter(({ node }) => stageNames(graph, node).includes(stage));
}

/** The stages of an attention node, in the order in which they act. */
export function stageNames(graph: Graph, name: string): readonly string[] {
  const node = graph.expectNode(name, 'its record');
  const attributes = readAttributes(node);
  const { control } = nameInputs(node.inputs, attributes, `node "${name}"`);
  return stagesOf(attributes, control !== undefined).map(([stage]) => stage);
}

/** The stages whose columns a record names, in the order of the columns. */
function stagesOfRecord({ columns }: AttentionRecord): AttentionStage[] {
  const names = new Set(columns.map((column) => column.split('.')[0] ?? ''));
  return [...names].map((name) => expectStage(name, 'the control table'));
}

function defaultsOf(stages: readonly AttentionStage[]): number[] {
  return stages.flatMap((stage) => offRow(stage));
}

function rowsOf(graph: Graph, { control }: AttentionRecord): number {
  const node = control === undefined ? undefined : graph.node(control);
  return graph.weight(node?.inputs[0]?.node ?? '')?.shape[0] ?? 0;
}

/** The control input for a table of that size: a new one, or the one that is there, made wider. */
function placeControl(graph: Graph, existing: string | undefined, rows: number, defaults: readonly number[]): Endpoint {
  const fallback = graph.addConstant(graph.uniqueName(`${CONTROL_INPUT}/default`), {
    dtype: 'float32',
    shape: [rows, defaults.length],
    values: Array.from({ length: rows }, () => defaults).flat(),
  });
  const node = {
    name: existing ?? graph.uniqueName(CONTROL_INPUT),
    op: 'PlaceholderWithDefault',
    inputs: [fallback],
    controls: [],
    attributes: { dtype: attr.type('float32'), shape: attr.shape([rows, defaults.length]) },
  };
  if (existing === undefined) return graph.add(node);
  const before = graph.expectNode(existing, 'the control table').inputs[0];
  graph.replace(node);
  if (before && !graph.consumers(before.node).length) graph.remove(before.node);
  return endpoint(existing);
}

interface Attachment {
  readonly stage: AttentionStage;
  /** The stage's first column of the control table. */
  readonly first: number;
  readonly control: Endpoint;
}

function addToNode(graph: Graph, { node: name, id }: PatchedSite, { stage, first, control }: Attachment): void {
  const node = graph.expectNode(name, `pass "${stage.name}"`);
  const attributes = readAttributes(node);
  const inputs = nameInputs(node.inputs, attributes, `node "${name}"`);
  if (!inputs.grid) throw new SlothfulError('bad-graph', `site "${id}"`, 'has no input that tells its grid');
  const before = stagesOf(attributes, inputs.control !== undefined);
  const orderOf = (of: string) => (of === stage.name ? stage.order : expectStage(of, `site "${id}"`).order);
  const all = [...before, [stage.name, first] as const].sort(([a], [b]) => orderOf(a) - orderOf(b));
  const changed: NodeAttributes = { ...attributes, stages: all.map(([of]) => of), columns: all.map(([, at]) => at) };
  graph.replace({
    ...node,
    inputs: orderInputs({ ...inputs, control }),
    attributes: encodeAttributes(changed),
  });
}
