import type { Endpoint, GraphNode } from '../../graph/index.ts';
import type { Context } from './context.ts';
import { isProduct } from './product.ts';
import { outputOf, walkBack } from './walk.ts';

/** Which operand of the products a projection makes, and what it is called in messages. */
export interface Role {
  readonly side: 'left' | 'right' | 'value';
  readonly name: 'queries' | 'keys' | 'values';
}

/** Why the queries, keys or values are no projection. */
export function otherSource(context: Context, node: GraphNode, role: Role): string {
  const name = role.name;
  if (/^(Split|SplitV|StridedSlice|Slice|Unpack|GatherV2|Gather)$/.test(node.op)) {
    const cut = node.op === 'Split' ? node.inputs[1] : node.inputs[0];
    return cut && cutsChannels(context, cut, outputOf(node))
      ? `the ${name} are cut from a fused projection of queries, keys and values (${node.op})`
      : `the ${name} are part of another tensor (${node.op})`;
  }
  if (/^(Add|AddV2|Sub|AddN)$/.test(node.op)) return `the ${name} are a sum of tensors (an adapter that is not fused?)`;
  if (node.op === 'Mul') return `the ${name} are multiplied by another tensor (a rotary position, a norm?)`;
  if (node.op.startsWith('Placeholder')) return `the ${name} are an input of the graph, without a projection`;
  return `the ${name} come from a ${node.op}, not from a projection`;
}

/** Whether a cut goes through the channels that a product made, rather than through tokens. */
function cutsChannels(context: Context, whole: Endpoint, part: Endpoint): boolean {
  const maker = context.producer(walkBack(context, whole).source);
  const before = context.shapes.dims(whole);
  const after = context.shapes.dims(part);
  const isTokens = before !== undefined && before.length < 4 && before.length === after?.length;
  const width = before?.at(-1);
  return maker !== undefined && isProduct(maker) && !(isTokens && width !== undefined && width === after?.at(-1));
}
