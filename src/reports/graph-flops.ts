import { ATTENTION_OP, type SurveyedSite } from '../attention/index.ts';
import type { Graph, ShapeTable } from '../graph/index.ts';
import { opFlops } from './op-flops.ts';
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
