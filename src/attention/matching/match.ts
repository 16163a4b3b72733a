import type { GraphNode } from '../../graph/index.ts';
import type { Rejection } from '../site.ts';
import { type Context, isProblem, type Problem, problem } from './context.ts';
import { findInputs, findMerge, type Inputs, type Merge, unmerged } from './ends.ts';
import { followScores, followValues, type ProbedSizes, readOperands } from './follow.ts';
import type { Operand } from './operand.ts';
import { findProducts, isDataProduct, type Products } from './products.ts';
import type { Softmax } from './softmax.ts';
import { outputOf, stepOf } from './walk.ts';

/** An attention as the nodes around a softmax say it, before its place in the UNet is known. */
export interface Match {
  readonly kind: 'matched';
  readonly softmax: GraphNode;
  readonly inputs: Inputs;
  readonly query: Operand;
  readonly key: Operand;
  readonly value: Operand;
  readonly scale: number | undefined;
  readonly sizes: ProbedSizes | undefined;
  readonly merge: Merge;
  /** Every node of the attention but the one that gives the merged heads. */
  readonly inside: ReadonlySet<string>;
}

type Reached = Rejection['reached'];

/** Reads the attention around a softmax, or says why it is none that can be used. */
export function matchAttention(context: Context, found: Softmax): Match | Rejection {
  const softmax = found.node;
  const reject = (reached: Reached, { problem: reason, node }: Problem): Rejection => ({
    kind: 'rejected',
    softmax: softmax.name,
    reason,
    node,
    reached,
  });
  const products = findProducts(context, found);
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
  const merge = findMerge(context, outputOf(products.sum), sums.layout, sums.sizes ?? noSizes(value));
  if (isProblem(merge)) return reject('projections', merge);
  const whole = withoutEscape(context, products, [query, key, value], merge);
  if (isProblem(whole)) return reject('merge', whole);
  const { inside, merge: ending } = whole;
  const scale = multiply(products.scale, query.scale, key.scale);
  return { kind: 'matched', softmax, inputs, query, key, value, scale, sizes: sums.sizes, merge: ending, inside };
}

const noSizes = ({ projected }: Operand) => ({ batch: 0, queryTokens: 0, heads: 1, headDim: projected.channels });

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
  { softmax, scores, sum, before, after }: Products,
  operands: readonly Operand[],
  { output, steps }: Merge,
): Set<string> {
  const passed = [...before, ...after, ...steps].map(({ node }) => node.name);
  const names = new Set([...softmax.nodes, scores.name, sum.name, ...passed]);
  for (const name of operands.flatMap((operand) => [...nodesOf(operand)])) names.add(name);
  names.delete(output.node);
  return names;
}

/**
 * An attention whose inside nothing else reads. Where its end is a guess and something does, it may have ended before: at the
 * second product, after which a Dense begins with a look at the shape.
 */
function withoutEscape(
  context: Context,
  products: Products,
  operands: readonly [Operand, Operand, Operand],
  merge: Merge,
): { inside: Set<string>; merge: Merge } | Problem {
  const [query, , value] = operands;
  const inside = insideOf(products, operands, merge);
  const leak = findEscape(context, { inside, queries: nodesOf(query), output: merge.output.node });
  if (!leak) return { inside, merge };
  const start = outputOf(products.sum);
  const earlier = merge.guessed && merge.steps.length ? unmerged(context, start, value.projected.channels) : undefined;
  return earlier ? withoutEscape(context, products, operands, earlier) : leak;
}

/** Nodes that shape arithmetic around one attention may have; more means that it goes elsewhere. */
const FAR = 64;

/** The nodes of an attention, without the one whose output is replaced. */
export interface Interior {
  readonly inside: ReadonlySet<string>;
  /** Those of them that make the queries: another attention (an image adapter's) may read the same ones. */
  readonly queries: ReadonlySet<string>;
  readonly output: string;
}

/**
 * Whether something outside an attention reads what is inside it. A rewrite would then compute it twice.
 *
 * Shape arithmetic counts as inside where all that it leads to is inside.
 */
export function findEscape(context: Context, interior: Interior): Problem | undefined {
  for (const name of interior.inside) {
    if (context.isOutput(name)) return problem(name, 'is inside the attention and an output of the graph');
    for (const { node } of context.graph.consumers(name)) {
      if (node.name === interior.output || interior.inside.has(node.name)) continue;
      if (interior.queries.has(name) && feedsScores(context, node)) continue;
      if (leadsOutside(context, node, interior)) {
        return problem(name, `is inside the attention and also read by "${node.name}" (${node.op}) outside of it`);
      }
    }
  }
  return undefined;
}

/** Whether a node leads to nothing but the softmaxes of other attentions. */
function feedsScores(context: Context, node: GraphNode, depth = 0): boolean {
  if (node.op === 'Softmax') return true;
  const passes = stepOf(context, node) !== undefined || isDataProduct(context, node);
  const users = context.graph.consumers(node.name);
  if (!passes || depth > 8 || context.isOutput(node.name)) return false;
  return users.length > 0 && users.every((use) => feedsScores(context, use.node, depth + 1));
}

function leadsOutside(context: Context, from: GraphNode, { inside, output }: Interior): boolean {
  const seen = new Set([from.name]);
  const queue = [from.name];
  for (let name = queue.pop(); name !== undefined; name = queue.pop()) {
    if (context.isOutput(name) || seen.size > FAR) return true;
    for (const { node } of context.graph.consumers(name)) {
      if (inside.has(node.name) || node.name === output || seen.has(node.name)) continue;
      seen.add(node.name);
      queue.push(node.name);
    }
  }
  return false;
}
