import { endpoint, type Graph } from '../graph/index.ts';
import { Context, isProblem } from './matching/context.ts';
import { type Match, matchAttention } from './matching/match.ts';
import type { Operand } from './matching/operand.ts';
import { isDataProduct, strayExp } from './matching/products.ts';
import { readExp, type Softmax, softmaxOf } from './matching/softmax.ts';
import { outputOf } from './matching/walk.ts';
import { findReduced } from './placing/reduced.ts';
import { nameSites, type Situated, type Situation, scopesOf, situate } from './placing/situation.ts';
import { type Terrain, terrainOf } from './placing/terrain.ts';
import type { AttentionSite, Location, Projection, Rejection } from './site.ts';

/**
 * Finds every attention of a graph from its structure: around each Softmax the two products, the projections and the
 * merge of the heads; from the convolutions, resizes and skip connections the block, level and grid.
 *
 * A softmax that is not an attention, or not one that can be used, is reported with the reason, the node and how far the match got.
 * Where the document does not hold the values of the constants (a lone model.json of another exporter), heads and scale
 * are undefined, with the reason in `unknown`.
 */
export function locate(graph: Graph): Location {
  const context = new Context(graph);
  const { softmaxes, strays } = findSoftmaxes(context);
  const rejections: Rejection[] = [...unreachable(context), ...strays];
  const situated: Situated[] = [];
  let terrain: Terrain | undefined;
  for (const softmax of softmaxes) {
    const match = matchAttention(context, softmax);
    if (match.kind === 'rejected') {
      rejections.push(match);
      continue;
    }
    terrain ??= terrainOf(context);
    const reduced = findReduced(context, terrain, match);
    if (reduced) {
      const { problem: reason, node } = reduced;
      rejections.push({ kind: 'rejected', softmax: softmax.node.name, reason, node, reached: 'projections' });
      continue;
    }
    const situation = situate(context, terrain, match);
    if (isProblem(situation)) {
      const { problem: reason, node } = situation;
      rejections.push({ kind: 'rejected', softmax: softmax.node.name, reason, node, reached: 'grid' });
    } else situated.push({ match, situation });
  }
  const ids = nameSites(situated);
  const scopes = scopesOf(situated.map(({ match }) => match));
  const sites = situated.map(({ match, situation }, index) => {
    return siteOf(context, match, situation, { id: ids[index] ?? '', scope: scopes[index] ?? '' });
  });
  return { sites, rejections, ...depthRange(sites) };
}

/** The softmaxes of a graph, of one op or of several, and exponentials of logits that are neither. */
function findSoftmaxes(context: Context): { softmaxes: readonly Softmax[]; strays: readonly Rejection[] } {
  const exps = context.order.filter(({ op }) => op === 'Exp');
  const read = new Map(exps.map((node) => [node, readExp(context, node)] as const));
  const softmaxes = context.order.flatMap((node) => {
    const found = softmaxOf(node) ?? read.get(node);
    return found && !isProblem(found) ? [found] : [];
  });
  const inside = new Set(softmaxes.flatMap((softmax) => sumsBeside(context, softmax)));
  const strays = exps.flatMap((node): Rejection[] => {
    const stray = inside.has(node.name) ? undefined : strayExp(context, node);
    if (!stray) return [];
    return [{ kind: 'rejected', softmax: node.name, reason: stray.problem, node: stray.node, reached: 'softmax' }];
  });
  // An Exp inside what another one subtracts is a part of that one's softmax.
  const inner = new Set(strays.flatMap(({ softmax }) => innerExps(context, softmax)));
  return { softmaxes, strays: strays.filter(({ softmax }) => !inner.has(softmax)) };
}

/** The exponentials between a product and an Exp. */
function innerExps(context: Context, exp: string): string[] {
  const seen = new Set<string>();
  const queue = [exp];
  for (let name = queue.pop(); name !== undefined && seen.size < FAR; name = queue.pop()) {
    const node = context.graph.node(name);
    if (!node || seen.has(name) || isDataProduct(context, node)) continue;
    seen.add(name);
    queue.push(...node.inputs.map((input) => input.node));
  }
  return [...seen].filter((name) => name !== exp && context.graph.node(name)?.op === 'Exp');
}

/** The nodes that compute what a softmax of several ops subtracts: all that they lead to is the softmax. */
function sumsBeside({ graph }: Context, { nodes, logits }: Softmax): string[] {
  const found = new Set(nodes);
  const queue = nodes.flatMap((name) => graph.node(name)?.inputs ?? []).map(({ node }) => node);
  for (let name = queue.pop(); name !== undefined && found.size < FAR; name = queue.pop()) {
    const node = graph.node(name);
    const isBeside = graph.consumers(name).every((use) => found.has(use.node.name));
    if (!node || found.has(name) || name === logits.node || !isBeside) continue;
    found.add(name);
    queue.push(...node.inputs.map((input) => input.node));
  }
  return [...found];
}

/** Nodes that a softmax of several ops may have. */
const FAR = 64;

/** Softmaxes that cannot be put in an order, for they lie on or behind a loop. */
function unreachable({ graph, order }: Context): Rejection[] {
  const reached = new Set(order.map(({ name }) => name));
  return [...graph.nodes]
    .filter(({ op, name }) => op === 'Softmax' && !reached.has(name))
    .map(({ name }) => {
      const reason = 'lies on or behind a loop of the graph';
      return { kind: 'rejected', softmax: name, reason, node: name, reached: 'softmax' };
    });
}

function depthRange(sites: readonly AttentionSite[]): Pick<Location, 'top' | 'deep'> {
  const scales = sites.filter(({ kind }) => kind === 'self').map(({ downscale }) => downscale);
  return scales.length ? { top: Math.min(...scales), deep: Math.max(...scales) } : { top: undefined, deep: undefined };
}

function siteOf(
  context: Context,
  match: Match,
  situation: Situation,
  names: Pick<AttentionSite, 'id' | 'scope'>,
): AttentionSite {
  const { inputs, query, key, value, sizes, merge, softmax } = match;
  const { block, level, grid } = situation;
  const apart = query.projected.apart;
  return {
    ...inputs,
    ...names,
    softmax: softmax.name,
    query: projection(query),
    key: projection(key),
    value: projection(value),
    scale: match.scale,
    heads: sizes?.heads ?? apart?.heads,
    headDim: sizes?.headDim ?? apart?.headDim,
    unknown: unknownOf(context, match),
    channels: query.projected.channels,
    contextChannels: key.projected.inputChannels,
    output: merge.output,
    outputForm: merge.form,
    block,
    level,
    downscale: 2 ** level,
    grid,
  };
}

function projection({ projected, bias }: Operand): Projection {
  const { weight, transposed, part } = projected;
  return { weight, bias, transposed, part };
}

/** Why heads or scale are not known: the first node on the way whose shape is not, or else a constant. */
function unknownOf(context: Context, { sizes, scale, query, key, inside }: Match): string | undefined {
  const steps = [...query.steps, ...key.steps].map(({ node }) => outputOf(node));
  if (!sizes) {
    const all = [...steps, ...[...inside].map((name) => endpoint(name))];
    const reasons = all.map((of) => context.shapes.reason(of));
    return reasons.find((reason) => reason !== undefined) ?? 'the shapes inside the attention are not known';
  }
  if (scale !== undefined) return undefined;
  return 'the scale is in a constant whose values are not in the document';
}
