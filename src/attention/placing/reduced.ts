import { readShape } from '../../graph/index.ts';
import { type Context, type Problem, problem, readsShape } from '../matching/context.ts';
import type { Match } from '../matching/match.ts';
import { reshapeChain } from '../matching/walk.ts';
import type { Terrain } from './terrain.ts';

/**
 * Whether keys and values that are made of another tensor than the queries come of the same map nevertheless: pooled, by a
 * strided convolution (SegFormer, PVT), by a norm of their own. That is no cross-attention, for no other input reaches them.
 */
export function findReduced(context: Context, terrain: Terrain, { inputs, query, sizes }: Match): Problem | undefined {
  if (inputs.kind === 'self') return undefined;
  const stage = terrain.upstream.get(inputs.hiddenStates.node)?.stage ?? 0;
  const map = context.order[stage - 1]?.name;
  const own = new Set(reshapeChain(context, query.projected.input).map(({ node }) => node));
  if (map !== undefined) own.add(map);
  if (!isMadeOf(context, inputs.context.node, own)) return undefined;
  const { keyTokens, queryTokens } = sizes ?? {};
  const isReduced = keyTokens !== undefined && queryTokens !== undefined && keyTokens < queryTokens;
  const what = isReduced
    ? `are reduced from the map that the queries are made of, ${keyTokens} tokens for ${queryTokens}: a reduced self-attention`
    : 'are made of another tensor than the queries, and of the same map: neither a plain self-attention nor a cross-attention';
  return problem(inputs.context.node, `keys and values ${what}`);
}

/** Whether a node is computed from `sources`, and from no other input that has tokens or pixels. */
function isMadeOf({ graph }: Context, from: string, sources: ReadonlySet<string>): boolean {
  const seen = new Set<string>();
  const queue = [from];
  let meets = false;
  for (let name = queue.pop(); name !== undefined; name = queue.pop()) {
    if (sources.has(name)) meets = true;
    const node = graph.node(name);
    if (!node || seen.has(name) || sources.has(name) || readsShape(node)) continue;
    seen.add(name);
    if (node.op.startsWith('Placeholder') && (readShape(node.attributes, 'shape')?.length ?? 0) > 2) return false;
    queue.push(...node.inputs.map((input) => input.node));
  }
  return meets;
}
