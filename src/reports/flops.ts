import { ATTENTION_OP, type SurveyedSite } from '../attention/index.ts';
import {
  type Graph,
  type GraphNode,
  isConcrete,
  parseEquation,
  readBool,
  readString,
  type ShapeTable,
  sizeOf,
} from '../graph/index.ts';
import { sum } from './weights.ts';

/** FLOPs of the stock ops of a graph. */
export interface GraphFlops {
  /** All of them, but for `SlothfulAttention` nodes, whose count depends on the step. */
  readonly stock: number;
  readonly convolutions: number;
  /** Of single nodes, those with any. */
  readonly byNode: ReadonlyMap<string, number>;
  /** Nodes whose FLOPs are not known, with the reason. */
  readonly unknown: readonly { readonly node: string; readonly reason: string }[];
}

/** Counts the FLOPs of every node at the size that `shapes` were inferred for. */
export function graphFlops(graph: Graph, shapes: ShapeTable): GraphFlops {
  const byNode = new Map<string, number>();
  const unknown: { node: string; reason: string }[] = [];
  let convolutions = 0;
  let stock = 0;
  for (const node of graph.nodes) {
    if (node.op === ATTENTION_OP) continue;
    const flops = opFlops(node, shapes);
    if (flops === undefined) {
      const reason = shapes.reason({ node: node.name, output: 0 }) ?? 'the shape of an input is not known';
      unknown.push({ node: node.name, reason });
    } else if (flops > 0) {
      byNode.set(node.name, flops);
      stock += flops;
      if (isConvolution(node.op)) convolutions += flops;
    }
  }
  return { stock, convolutions, byNode, unknown };
}

/** Whether an op is a convolution of any kind. */
export function isConvolution(op: string): boolean {
  return /Conv2[dD]/.test(op);
}

/**
 * FLOPs of everything but the attentions: what is the same in the plain and in the patched model.
 *
 * @param attention FLOPs of one site by its formula, as the graph has it
 */
export function restFlops(
  { stock, byNode }: GraphFlops,
  sites: readonly SurveyedSite[],
  attention: (site: SurveyedSite) => number,
): number {
  // The output projection of a patched site is still a stock op; the rest of it is in the node.
  const inStock = (site: SurveyedSite) => (site.patched ? (byNode.get(site.out?.node ?? '') ?? 0) : attention(site));
  return stock - sum(sites, inStock);
}

/** Shapes of a node as far as the count needs them: its first output, and its inputs by slot. */
interface Shapes {
  readonly output: readonly number[];
  input(slot: number): readonly number[];
}

type Count = (node: GraphNode, shapes: Shapes) => number;

const matrixProduct =
  (adjoint: string): Count =>
  (node, { output, input }) =>
    2 * sizeOf(output) * (input(0).at(readBool(node.attributes, adjoint) ? -2 : -1) ?? 0);

/** Every output value is a sum over the window and the input channels; a fused bias is not counted. */
const convolution: Count = (_, { output, input }) => 2 * sizeOf(output) * sizeOf(input(1).slice(0, 3));
const depthwise: Count = (_, { output, input }) => 2 * sizeOf(output) * sizeOf(input(1).slice(0, 2));
const transposedConvolution: Count = (_, { input }) => 2 * sizeOf(input(2)) * sizeOf(input(1).slice(0, 3));

/** Every combination of the labels of both tensors is one multiply-add. */
const einsum: Count = (node, { input }) => {
  const equation = parseEquation(readString(node.attributes, 'equation'));
  if (!equation) return Number.NaN;
  const sizes = new Map<string, number>();
  [equation.left, equation.right].forEach((labels, slot) => {
    for (const [axis, label] of [...labels].entries()) sizes.set(label, input(slot)[axis] ?? Number.NaN);
  });
  return 2 * sizeOf([...sizes.values()]);
};

const COUNTS: Readonly<Record<string, Count>> = {
  _FusedConv2D: convolution,
  _FusedMatMul: matrixProduct('transpose_a'),
  BatchMatMul: matrixProduct('adj_x'),
  BatchMatMulV2: matrixProduct('adj_x'),
  BatchMatMulV3: matrixProduct('adj_x'),
  Conv2D: convolution,
  Conv2DBackpropInput: transposedConvolution,
  DepthwiseConv2d: depthwise,
  DepthwiseConv2dNative: depthwise,
  Einsum: einsum,
  FusedDepthwiseConv2dNative: depthwise,
  MatMul: matrixProduct('transpose_a'),
};

/**
 * FLOPs of a stock op: two for each multiply-add of a matrix product or convolution, none for anything else.
 *
 * Element-wise ops, norms and softmaxes are left out, as is usual for models of this kind: they take time by the memory
 * that they move, not by what they compute.
 *
 * @returns undefined where the shapes are not known
 */
export function opFlops(node: GraphNode, shapes: ShapeTable): number | undefined {
  const count = Object.hasOwn(COUNTS, node.op) ? COUNTS[node.op] : undefined;
  if (!count) return 0;
  const output = shapes.shape({ node: node.name, output: 0 });
  const inputs = node.inputs.map((input) => shapes.dims(input));
  if (!output || !inputs.slice(0, 3).every((dims) => dims && isConcrete(dims))) return undefined;
  const input = (slot: number): readonly number[] => {
    const dims = inputs[slot];
    return dims && isConcrete(dims) ? dims : [Number.NaN];
  };
  const flops = count(node, { output, input });
  return Number.isNaN(flops) ? undefined : flops;
}
