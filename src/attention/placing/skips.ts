import type { Endpoint, GraphNode } from '../../graph/index.ts';
import { type Context, readsShape } from '../matching/context.ts';
import type { Place } from './terrain.ts';

interface Surveyed {
  readonly places: ReadonlyMap<string, Place>;
  readonly position: ReadonlyMap<string, number>;
}

/**
 * The operands of a concatenation that are skip connections: feature maps that the other operand was computed from, by
 * more convolutions. Empty where it joins something else (an input and its mask, parallel branches, vectors).
 */
export function skipSource(context: Context, node: GraphNode, surveyed: Surveyed): Endpoint[] {
  const isOld = node.op === 'Concat';
  const axisInput = isOld ? node.inputs[0] : node.inputs.at(-1);
  const operands = isOld ? node.inputs.slice(1) : node.inputs.slice(0, -1);
  const stageOf = ({ node: name }: Endpoint) => surveyed.places.get(name)?.stage ?? 0;
  const latest = operands.toSorted((a, b) => stageOf(b) - stageOf(a))[0];
  if (!latest || !axisInput || !joinsChannels(context, latest, axisInput)) return [];
  const earlier = operands.filter((operand) => stageOf(operand) > 0 && stageOf(operand) < stageOf(latest));
  return earlier.filter((operand) => isUpstream(context, surveyed, stageOf(operand), latest));
}

/** Whether the axis is the last of rank-4 tensors, as far as that is known. */
function joinsChannels(context: Context, operand: Endpoint, axisInput: Endpoint): boolean {
  const rank = context.shapes.dims(operand)?.length ?? 4;
  const axis = context.shapes.values(axisInput)?.[0];
  return rank === 4 && (axis === undefined || axis === 3 || axis === -1 || axis === 1);
}

/** Whether the op at position `stage` lies upstream of an endpoint. */
function isUpstream(context: Context, { position }: Surveyed, stage: number, of: Endpoint): boolean {
  const seen = new Set<string>();
  const queue = [of.node];
  for (let name = queue.pop(); name !== undefined; name = queue.pop()) {
    const at = position.get(name) ?? 0;
    const node = context.graph.node(name);
    if (at === stage) return true;
    if (!node || at < stage || seen.has(name) || readsShape(node)) continue;
    seen.add(name);
    queue.push(...node.inputs.map((input) => input.node));
  }
  return false;
}
