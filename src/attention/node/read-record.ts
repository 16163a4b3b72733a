/** What a model says of its attention nodes, held against the nodes themselves: metadata are easily somebody else's. */
import { SlothfulError } from '../../errors.ts';
import { type Graph, type GraphNode, readShape } from '../../graph/index.ts';
import { ATTENTION_OP, nameInputs, partsOf, readAttributes, stagesOf } from './contract.ts';
import { type AttentionRecord, attentionOfMetadata, CURE, type PatchedSite, placeOfId } from './record.ts';
import { innerWidth } from './shape-rule.ts';

/**
 * Reads what a graph says of its attention nodes; undefined where it has none. Models of version 0.1, which recorded
 * self-attentions only, as part of Slothful Attention, are read the same.
 *
 * @throws SlothfulError `bad-model` where the record is there and cannot be read, or is not of this graph: other nodes,
 *   another order, other heads, widths, levels or columns; `bad-graph` for a node that cannot be read
 */
export function readAttentionRecord(graph: Graph, place = 'model.json'): AttentionRecord | undefined {
  const record = attentionOfMetadata(graph.metadata, place);
  if (!record) return undefined;
  const nodes = new Map([...graph.nodes].filter(({ op }) => op === ATTENTION_OP).map((node) => [node.name, node]));
  record.sites.forEach((site, row) => {
    const at = `${place} site "${site.id}"`;
    const node = nodes.get(site.node);
    if (!node) throw bad(at, `its node "${site.node}" is not in the graph`);
    checkSite(graph, site, node, row, at);
    checkColumns(record, node, at);
    nodes.delete(site.node);
  });
  checkTable(graph, record, place);
  const [left] = nodes.keys();
  const isFirstVersion = graph.metadata.attention === undefined;
  if (left !== undefined && !isFirstVersion) throw bad(place, `its record has no site for the node "${left}"`);
  return { ...record, sites: [...record.sites, ...[...nodes.values()].map((node) => siteOfNode(graph, node))] };
}

/** What the record says of a site, and the node does not. */
function checkSite(graph: Graph, site: PatchedSite, node: GraphNode, row: number, place: string): void {
  const own = readAttributes(node);
  const width = widthOf(graph, node) ?? site.channels;
  const claims: ReadonlyArray<readonly [what: string, recorded: unknown, found: unknown]> = [
    ['row', row, own.site],
    ['id', site.id.toLowerCase(), own.id || site.id.toLowerCase()],
    ['kind', site.kind, own.cross ? 'cross' : 'self'],
    ['heads', site.heads, own.heads],
    ['channels', site.channels, width],
    ['head_dim', site.headDim, width / own.heads],
  ];
  const [wrong] = claims.filter(([, recorded, found]) => recorded !== found);
  if (!wrong) return;
  const [what, recorded, found] = wrong;
  throw bad(place, `is recorded with the ${what} ${recorded}, and its node "${node.name}" has ${found}`);
}

/** The columns that a node reads are those that the record has for its stages. */
function checkColumns({ columns, control }: AttentionRecord, node: GraphNode, place: string): void {
  const attributes = readAttributes(node);
  const inputs = nameInputs(node.inputs, attributes, `node "${node.name}"`);
  if (inputs.control && inputs.control.node !== control) {
    throw bad(place, `its node reads the control table "${inputs.control.node}", and ${control ?? 'none'} is recorded`);
  }
  for (const [stage, first] of stagesOf(attributes, inputs.control !== undefined)) {
    const recorded = columns[first] ?? 'none';
    if (recorded.toLowerCase().startsWith(`${stage.toLowerCase()}.`)) continue;
    throw bad(place, `its node has the stage "${stage}" from column ${first} on, which is recorded as ${recorded}`);
  }
}

/** The control table is as wide as the record says. */
function checkTable(graph: Graph, { control, columns }: AttentionRecord, place: string): void {
  if (control === undefined) return;
  const node = graph.node(control);
  if (!node) throw bad(place, `its record names the control input "${control}", which is not in the graph`);
  const [, width = columns.length] = readShape(node.attributes, 'shape') ?? [];
  if (width === columns.length) return;
  throw bad(place, `its control table has ${width} columns, and ${columns.length} are recorded`);
}

/** Width of the queries over all heads; undefined where the weight is not one of the manifest's. */
function widthOf(graph: Graph, node: GraphNode): number | undefined {
  const attributes = readAttributes(node);
  const { queryWeight } = nameInputs(node.inputs, attributes, `node "${node.name}"`);
  const { transposeWeights } = attributes;
  return innerWidth(graph.weight(queryWeight.node)?.shape ?? [], transposeWeights, partsOf(attributes).query);
}

/** What a node says of itself: a site that no record names. */
function siteOfNode(graph: Graph, node: GraphNode): PatchedSite {
  const { name } = node;
  const { id, cross, heads } = readAttributes(node);
  const channels = widthOf(graph, node) ?? Number.NaN;
  const kind = cross ? 'cross' : 'self';
  return {
    kind,
    id: id || name,
    ...placeOfId(id),
    heads,
    headDim: channels / heads,
    channels,
    node: name,
    scope: name,
  };
}

function bad(place: string, problem: string): SlothfulError {
  return new SlothfulError('bad-model', place, problem, CURE);
}
