import { endpoint, type GraphNode } from '../../graph/index.ts';
import type { Rejection } from '../site.ts';
import type { Context } from './context.ts';
import { isProblem, type Problem, problem } from './problem.ts';
import { isDataProduct } from './product.ts';
import { type Step, stepOf } from './step.ts';
import { onlyUse, outputOf, stepOfUse, walkBack } from './walk.ts';

/** The two products around a softmax: queries by keys before it, probabilities by values after it. */
export interface Products {
  readonly softmax: GraphNode;
  readonly scores: GraphNode;
  /** What the scores pass between the first product and the softmax. */
  readonly before: readonly Step[];
  /** What the probabilities pass between the softmax and the second product. */
  readonly after: readonly Step[];
  readonly sum: GraphNode;
  /** The operand of `sum` that the probabilities are. */
  readonly probabilities: 0 | 1;
  /** Product of the factors of the scores; undefined where one is not known. */
  readonly scale: number | undefined;
}

type Failure = Problem & { readonly reached: Rejection['reached'] };

/** Finds the two products that make a softmax an attention, or says what is in their place. */
export function findProducts(context: Context, softmax: GraphNode): Products | Failure {
  const first = findScores(context, softmax);
  if (isProblem(first)) return { ...first, reached: 'softmax' };
  const second = findSum(context, softmax);
  if (isProblem(second)) return { ...second, reached: 'scores' };
  return { softmax, ...first, ...second };
}

function findScores(context: Context, softmax: GraphNode): Pick<Products, 'scores' | 'before' | 'scale'> | Problem {
  const { source, steps } = walkBack(context, softmax.inputs[0] ?? endpoint(''));
  const node = context.producer(source);
  if (!node) return problem(softmax.name, 'the softmax has no input');
  const added = steps.find(({ kind }) => kind === 'bias');
  if (!isDataProduct(context, node)) return problem(node.name, notScores(context, node));
  if (added)
    return problem(added.node.name, `a mask or a bias is added to the logits (${unknownAddend(context, added)})`);
  let scale: number | undefined = 1;
  for (const { kind, factor } of steps) {
    if (kind === 'scale') scale = scale === undefined || factor === undefined ? undefined : scale * factor;
  }
  const fused = node.op === '_FusedMatMul' && (node.attributes.fused_ops?.list?.s?.length ?? 0) > 0;
  if (fused) return problem(node.name, 'the product of queries and keys is fused with another op');
  return { scores: node, before: steps, scale };
}

function unknownAddend(context: Context, { node, bias }: Step): string {
  const isKnown = !bias || context.shapes.reason(bias) === undefined;
  return isKnown ? node.op : `${node.op}; it may be zero, but ${context.shapes.reason(bias)}`;
}

/** What the softmax is of, where it is not of a product of two tensors. */
function notScores(context: Context, node: GraphNode): string {
  const products = node.inputs.filter((input) => {
    const maker = context.producer(walkBack(context, input).source);
    return maker !== undefined && isDataProduct(context, maker);
  });
  if (products.length === 1) {
    if (/^(Add|AddV2|Sub|AddN)$/.test(node.op)) return `a mask or a position bias is added to the logits (${node.op})`;
    if (/^Select/.test(node.op)) return `the logits are masked (${node.op})`;
    return `the logits pass a ${node.op} before the softmax`;
  }
  return `the softmax is of a ${node.op}, not of a product of queries and keys`;
}

function findSum(context: Context, softmax: GraphNode): Pick<Products, 'sum' | 'after' | 'probabilities'> | Problem {
  const after: Step[] = [];
  let from = outputOf(softmax);
  while (true) {
    const use = onlyUse(context, from, 'the probabilities');
    if (isProblem(use)) return use;
    const step = stepOfUse(context, use);
    if (!step) return asSum(context, use.node, use.slot, after);
    if (step.kind === 'scale') return problem(use.node.name, 'the probabilities are scaled (dropout?)');
    if (step.kind === 'bias') return problem(use.node.name, 'something is added to the probabilities');
    after.push(step);
    from = outputOf(use.node);
  }
}

function asSum(
  context: Context,
  node: GraphNode,
  slot: number,
  after: readonly Step[],
): Pick<Products, 'sum' | 'after' | 'probabilities'> | Problem {
  if (isDataProduct(context, node)) return { sum: node, after, probabilities: slot === 0 ? 0 : 1 };
  if (node.op === 'Mul')
    return problem(node.name, 'the probabilities are multiplied by a tensor (dropout, a head mask?)');
  const known = stepOf(context, node) ? 'as a parameter of' : 'by';
  return problem(node.name, `the probabilities are read ${known} a ${node.op}, not by a product with values`);
}
