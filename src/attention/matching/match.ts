import type { GraphNode } from '../../graph/index.ts';
import type { Rejection } from '../site.ts';
import type { Context } from './context.ts';
import { followScores, followValues, readOperands, type Sizes } from './follow.ts';
import { findInputs, type Inputs } from './inputs.ts';
import { findEscape } from './interior.ts';
import { findMerge, type Merge } from './merge.ts';
import type { Operand } from './operand.ts';
import { isProblem, type Problem } from './problem.ts';
import { findProducts, type Products } from './products.ts';
import { outputOf } from './walk.ts';

/** An attention as the nodes around a softmax say it, before its place in the UNet is known. */
export interface Match {
  readonly kind: 'matched';
  readonly softmax: GraphNode;
  readonly inputs: Inputs;
  readonly query: Operand;
  readonly key: Operand;
  readonly value: Operand;
  readonly scale: number | undefined;
  readonly sizes: Sizes | undefined;
  readonly merge: Merge;
  /** Every node of the attention but the one that gives the merged heads. */
  readonly inside: ReadonlySet<string>;
}

type Reached = Rejection['reached'];

/** Reads the attention around a softmax, or says why it is none that can be used. */
export function matchAttention(context: Context, softmax: GraphNode): Match | Rejection {
  const reject = (reached: Reached, { problem: reason, node }: Problem): Rejection => ({
    kind: 'rejected',
    softmax: softmax.name,
    reason,
    node,
    reached,
  });
  const products = findProducts(context, softmax);
  if (isProblem(products)) return reject(products.reached, products);
  const operands = readOperands(context, products);
  if (isProblem(operands)) return reject('values', operands);
  const scores = followScores(context, products, operands);
  if (isProblem(scores)) return reject('scores', scores);
  const { query, key } = scores;
  const { value } = operands;
  const sums = followValues(context, products, scores, value);
  if (isProblem(sums)) return reject('values', sums);
  const inputs = findInputs(context, query.projected, key.projected, value.projected);
  if (isProblem(inputs)) return reject('projections', inputs);
  const merge = findMerge(context, outputOf(products.sum), sums.layout, sums.sizes ?? NO_SIZES);
  if (isProblem(merge)) return reject('projections', merge);
  const inside = insideOf(softmax, products, [query, key, value], merge);
  const leak = findEscape(context, { inside, queries: nodesOf(query), output: merge.output.node });
  if (leak) return reject('merge', leak);
  const scale = multiply(products.scale, query.scale, key.scale);
  return { kind: 'matched', softmax, inputs, query, key, value, scale, sizes: sums.sizes, merge, inside };
}

const NO_SIZES = { batch: 0, queryTokens: 0, heads: 0, headDim: 0 };

function multiply(...factors: readonly (number | undefined)[]): number | undefined {
  let product = 1;
  for (const factor of factors) {
    if (factor === undefined) return undefined;
    product *= factor;
  }
  return product;
}

function nodesOf({ steps, projected }: Operand): Set<string> {
  return new Set([projected.node.name, ...steps.map(({ node }) => node.name)]);
}

function insideOf(
  softmax: GraphNode,
  { scores, sum, before, after }: Products,
  operands: readonly Operand[],
  { output, steps }: Merge,
): Set<string> {
  const passed = [...before, ...after, ...steps].map(({ node }) => node.name);
  const names = new Set([softmax.name, scores.name, sum.name, ...passed]);
  for (const name of operands.flatMap((operand) => [...nodesOf(operand)])) names.add(name);
  names.delete(output.node);
  return names;
}
