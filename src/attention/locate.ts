import type { Graph } from '../graph/index.ts';
import { Context, isProblem } from './matching/context.ts';
import { type Match, matchAttention } from './matching/match.ts';
import type { Operand } from './matching/operand.ts';
import { outputOf } from './matching/walk.ts';
import { nameSites, type Situated, type Situation, sharedScope, situate } from './placing/situation.ts';
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
  const rejections: Rejection[] = unreachable(context);
  const situated: Situated[] = [];
  let terrain: Terrain | undefined;
  for (const softmax of context.order.filter(({ op }) => op === 'Softmax')) {
    const match = matchAttention(context, softmax);
    if (match.kind === 'rejected') {
      rejections.push(match);
      continue;
    }
    terrain ??= terrainOf(context);
    const situation = situate(context, terrain, match);
    if (isProblem(situation)) {
      const { problem: reason, node } = situation;
      rejections.push({ kind: 'rejected', softmax: softmax.name, reason, node, reached: 'grid' });
    } else situated.push({ match, situation });
  }
  const ids = nameSites(situated);
  const sites = situated.map(({ match, situation }, index) => siteOf(context, match, situation, ids[index] ?? ''));
  return { sites, rejections, ...depthRange(sites) };
}

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

function siteOf(context: Context, match: Match, situation: Situation, id: string): AttentionSite {
  const { inputs, query, key, value, sizes, merge, softmax } = match;
  const { block, level, grid } = situation;
  const apart = query.projected.apart;
  return {
    ...inputs,
    id,
    scope: sharedScope([
      softmax.name,
      merge.output.node,
      ...[query, key, value].map(({ projected }) => projected.node.name),
    ]),
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
function unknownOf(context: Context, { sizes, scale, query, key }: Match): string | undefined {
  const steps = [...query.steps, ...key.steps];
  if (!sizes) {
    const reasons = steps.map(({ node }) => context.shapes.reason(outputOf(node)));
    return reasons.find((reason) => reason !== undefined) ?? 'the shapes inside the attention are not known';
  }
  if (scale !== undefined) return undefined;
  return 'the scale is in a constant whose values are not in the document';
}
