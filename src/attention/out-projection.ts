import { type Endpoint, type Graph, type GraphNode, readBool, readStrings } from '../graph/index.ts';
import type { Projection } from './site.ts';

/** The projection after the merged heads, and the node that computes it. */
export interface OutProjection extends Projection {
  readonly node: string;
}

/** Ops that only move or rename the merged heads on their way to the projection. */
const TRANSPARENT = /^(Identity|Reshape|Squeeze|ExpandDims|Transpose|StopGradient|EnsureShape|Cast|Snapshot)$/;
const PRODUCTS = /^(MatMul|_FusedMatMul|BatchMatMul(V2|V3)?|Einsum|Conv2D|_FusedConv2D)$/;
const FURTHEST = 8;

/**
 * The projection that takes the merged heads (`to_out`): the first product with a weight behind them.
 *
 * @param output the merged heads
 * @returns undefined where something else comes first
 */
export function outProjection(graph: Graph, output: Endpoint): OutProjection | undefined {
  let nodes = readers(graph, output);
  for (let step = 0; step < FURTHEST && nodes.length; step++) {
    for (const node of nodes) {
      const found = PRODUCTS.test(node.op) ? projectionAt(graph, node) : undefined;
      if (found) return found;
    }
    nodes = nodes
      .filter(({ op }) => TRANSPARENT.test(op))
      .flatMap((node) => readers(graph, { node: node.name, output: 0 }));
  }
  return undefined;
}

function readers(graph: Graph, { node, output }: Endpoint): GraphNode[] {
  return graph
    .consumers(node)
    .filter((use) => use.output === output && use.slot === 0)
    .map((use) => use.node);
}

function projectionAt(graph: Graph, node: GraphNode): OutProjection | undefined {
  const weight = node.inputs[1] && constantBehind(graph, node.inputs[1]);
  if (!weight) return undefined;
  const transposed = readBool(node.attributes, 'transpose_b') || readBool(node.attributes, 'adj_y');
  return { node: node.name, weight, bias: fusedBias(node) ?? addedBias(graph, node), transposed, part: undefined };
}

/** The Const that an endpoint is, or only renames. */
function constantBehind(graph: Graph, from: Endpoint): Endpoint | undefined {
  let at: Endpoint | undefined = from;
  for (let step = 0; at && step < FURTHEST; step++) {
    const node: GraphNode | undefined = graph.node(at.node);
    if (node?.op === 'Const') return at;
    at = node && TRANSPARENT.test(node.op) ? node.inputs[0] : undefined;
  }
  return undefined;
}

function fusedBias(node: GraphNode): Endpoint | undefined {
  return readStrings(node.attributes, 'fused_ops').includes('BiasAdd') ? node.inputs[2] : undefined;
}

/** A bias that is added behind the product: by the next node, or after the tokens were reshaped or turned. */
function addedBias(graph: Graph, product: GraphNode): Endpoint | undefined {
  let nodes = [product];
  for (let step = 0; step < FURTHEST && nodes.length; step++) {
    const uses = nodes.flatMap((node) => graph.consumers(node.name));
    for (const { node: user, slot } of uses) {
      const other = /^(BiasAdd|AddV2|Add)$/.test(user.op) ? user.inputs[1 - slot] : undefined;
      const bias = other && constantBehind(graph, other);
      if (bias) return bias;
    }
    nodes = uses.filter(({ node, slot }) => slot === 0 && TRANSPARENT.test(node.op)).map(({ node }) => node);
  }
  return undefined;
}
