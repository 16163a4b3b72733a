import { readInt } from '../attributes.ts';
import type { Endpoint, GraphNode, GraphView } from '../document.ts';

/** Values of constants that a document does not hold, and that follow from what the constants are used for. */
export type Deduced = ReadonlyMap<string, readonly number[]>;

/**
 * Deduces the axes of TensorFlow's Tensordot (every Dense on a tensor of rank 3 or more): a tensor is reshaped, in its order,
 * to the product of its free dimensions by the product of those that are summed, so that they are its first and its last.
 */
export function deduceConstants(graph: GraphView, order: readonly GraphNode[]): Deduced {
  const found = new Map<string, readonly number[]>();
  for (const node of order) {
    if (node.op !== 'Reshape') continue;
    const [tensor, shape] = node.inputs;
    const pack = shape && graph.node(shape.node);
    if (!tensor || pack?.op !== 'Pack' || pack.inputs.length !== 2 || readInt(pack.attributes, 'axis') !== 0) continue;
    const [free, summed] = pack.inputs.map((input) => axesOfProduct(graph, input, tensor));
    if (!free || !summed) continue;
    note(found, graph, free, 0);
    note(found, graph, summed, free.count);
  }
  return found;
}

/** A constant of axes, and how many they are. */
interface Axes {
  readonly name: string;
  readonly count: number;
}

/** The axes of `prod(gather(shape(tensor), axes))`. */
function axesOfProduct(graph: GraphView, product: Endpoint, tensor: Endpoint): Axes | undefined {
  const prod = graph.node(product.node);
  const gather = prod?.op === 'Prod' && prod.inputs[0] ? graph.node(prod.inputs[0].node) : undefined;
  const [shapeInput, axes] = gather?.inputs ?? [];
  const shape = shapeInput && graph.node(shapeInput.node);
  const isShape =
    shape?.op === 'Shape' && shape.inputs[0]?.node === tensor.node && shape.inputs[0].output === tensor.output;
  const dims = axes && graph.weight(axes.node)?.shape;
  if (!gather?.op.startsWith('Gather') || !isShape || !axes || dims?.length !== 1) return undefined;
  return { name: axes.node, count: dims[0] ?? 0 };
}

function note(found: Map<string, readonly number[]>, graph: GraphView, { name, count }: Axes, first: number): void {
  if (graph.constant(name)) return;
  found.set(
    name,
    Array.from({ length: count }, (_, index) => first + index),
  );
}
