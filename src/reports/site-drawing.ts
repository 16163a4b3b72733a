import { type SurveyedSite, surveyGraph } from '../attention/index.ts';
import { suggest } from '../documents/index.ts';
import { SlothfulError } from '../errors.ts';
import { type Graph, type GraphNode, inferShapes, type ShapeTable } from '../graph/index.ts';
import { type RunSize, resolveSize } from './size.ts';
import { isParameter } from './weights.ts';

/** What a node of a drawing is: part of the attention, what it reads, a weight, or what reads it. */
export type NodeRole = 'inside' | 'input' | 'weight' | 'after';

/** A node of a drawing. */
export interface DrawnNode {
  readonly name: string;
  readonly op: string;
  readonly role: NodeRole;
  /** Shape of its first output at the size; undefined where it is not known. */
  readonly shape: readonly number[] | undefined;
}

/** The nodes of one attention and what is around it. */
export interface Drawing {
  readonly title: string;
  readonly nodes: readonly DrawnNode[];
  /** From, to: names of nodes. */
  readonly edges: readonly (readonly [from: string, to: string])[];
}

/** A graph in which a site is to be drawn. */
export interface DrawnModel {
  readonly graph: Graph;
  /** What the drawing is called besides the site: `before`. */
  readonly label: string;
}

/** More nodes than any spelling of an attention has. */
const MOST = 300;
const SHAPE_READERS = /^(Shape|ShapeN|Size|Rank)$/;

/**
 * One site in several graphs: before and after a patch, or in two models.
 *
 * @param text how the user names the site; see `findSite`. The id that it has in the first graph is looked for in the others
 * @throws SlothfulError `usage` where a graph has no such site
 */
export function drawSites(models: readonly DrawnModel[], text: string, size?: Partial<RunSize>): Drawing[] {
  let wanted = text;
  return models.map(({ graph, label }) => {
    const site = findSite(surveyGraph(graph).sites, wanted, label);
    wanted = site.id;
    return drawSite(graph, site, `${site.id} ${label}`, size);
  });
}

const BLOCKS: Readonly<Record<string, string>> = {
  down: 'input',
  in: 'input',
  mid: 'middle',
  up: 'output',
  out: 'output',
};

/**
 * The site that a user names: by its id, by the beginning of one (`down.0.0` is `input.0.0.0`), or by the exporter's
 * name. Where several begin so, the first.
 *
 * @throws SlothfulError `usage` where none is named so
 */
function findSite<T extends Pick<SurveyedSite, 'id' | 'exporterName' | 'node'>>(
  sites: readonly T[],
  text: string,
  place: string,
): T {
  const [block = '', ...rest] = text.trim().split('.');
  const id = [BLOCKS[block] ?? block, ...rest].join('.');
  const found =
    sites.find((site) => site.id === id) ??
    sites.find((site) => site.id.startsWith(`${id}.`)) ??
    sites.find((site) => site.exporterName === text || site.node === text);
  if (found) return found;
  const ids = sites.map((site) => site.id);
  const close = suggest(id, ids);
  const cure = close
    ? `did you mean "${close}"?`
    : `it has ${ids.slice(0, 4).join(', ')}${ids.length > 4 ? ', ...' : ''}`;
  throw new SlothfulError(
    'usage',
    '--site',
    `"${text}" is not an attention of ${place}`,
    ids.length ? cure : 'it has none',
  );
}

/**
 * The nodes between the inputs of an attention and its output projection. Small constants (shapes, axes) are left out.
 *
 * @param title what the drawing is to be called
 */
function drawSite(graph: Graph, site: SurveyedSite, title: string, size?: Partial<RunSize>): Drawing {
  const shapes = inferShapes(graph, resolveSize(graph, size).inputShapes);
  const sources = new Set([site.hiddenStates.node, site.context.node]);
  const end = site.out?.node ?? site.output.node;
  const inside = insideNodes(graph, sources, end);
  const nodes = new Map<string, DrawnNode>();
  const edges: [string, string][] = [];
  const keep = (node: GraphNode | undefined, role: NodeRole) => {
    if (node && !nodes.has(node.name)) nodes.set(node.name, drawn(node, role, shapes));
  };
  for (const name of inside) {
    const node = graph.node(name);
    keep(node, name === site.out?.node ? 'after' : 'inside');
    for (const input of node?.inputs ?? []) {
      const source = graph.node(input.node);
      if (!source || isLogic(graph, source, shapes)) continue;
      keep(source, inside.has(source.name) ? 'inside' : source.op === 'Const' ? 'weight' : 'input');
      edges.push([source.name, name]);
    }
  }
  const roleOf = (node: DrawnNode): DrawnNode => (node.name === site.out?.node ? { ...node, role: 'after' } : node);
  return { title, nodes: [...nodes.values()].map(roleOf), edges };
}

function drawn({ name, op }: GraphNode, role: NodeRole, shapes: ShapeTable): DrawnNode {
  return { name, op, role, shape: shapes.shape({ node: name, output: 0 }) };
}

/** A small constant, or arithmetic on shapes, that the drawing is clearer without. */
function isLogic(graph: Graph, node: GraphNode, shapes: ShapeTable): boolean {
  if (node.op !== 'Const') return shapes.partialValues({ node: node.name, output: 0 }) !== undefined;
  const spec = graph.weight(node.name);
  return !spec || !isParameter(graph, spec);
}

/** The nodes on a way from a source to the end, sources left out. */
function insideNodes(graph: Graph, sources: ReadonlySet<string>, end: string): Set<string> {
  const behind = new Set<string>();
  const queue = [end];
  for (let name = queue.pop(); name !== undefined && behind.size < MOST; name = queue.pop()) {
    const node = graph.node(name);
    if (!node || behind.has(name) || sources.has(name)) continue;
    behind.add(name);
    if (!SHAPE_READERS.test(node.op)) queue.push(...node.inputs.map((input) => input.node));
  }
  const inside = new Set<string>();
  const forward = [...sources];
  for (let name = forward.pop(); name !== undefined; name = forward.pop()) {
    for (const { node } of graph.consumers(name)) {
      if (!behind.has(node.name) || inside.has(node.name) || SHAPE_READERS.test(node.op)) continue;
      inside.add(node.name);
      forward.push(node.name);
    }
  }
  return inside;
}
