import {
  type Equation,
  type GraphNode,
  parseEquation,
  productEquation,
  readBool,
  readString,
} from '../../graph/index.ts';
import type { Rejection } from '../site.ts';
import { type Context, isProblem, type Problem, problem, rankOf } from './context.ts';
import { beforeSpread, readExp, type Softmax } from './softmax.ts';
import { onlyUse, outputOf, type Step, stepOf, stepOfUse, type Walk, walkBack } from './walk.ts';

/** The attributes by which each op transposes its operands. */
const PRODUCTS: Readonly<Record<string, readonly [left: string, right: string]>> = {
  _FusedMatMul: ['transpose_a', 'transpose_b'],
  BatchMatMul: ['adj_x', 'adj_y'],
  BatchMatMulV2: ['adj_x', 'adj_y'],
  BatchMatMulV3: ['adj_x', 'adj_y'],
  MatMul: ['transpose_a', 'transpose_b'],
};

/** Whether a node multiplies two tensors. */
export function isProduct(node: GraphNode): boolean {
  return node.op === 'Einsum' || Object.hasOwn(PRODUCTS, node.op);
}

/** Whether a node multiplies two tensors that both depend on the model's inputs: queries by keys, say. */
export function isDataProduct(context: Context, node: GraphNode): boolean {
  const [left, right] = node.inputs;
  if (!isProduct(node) || !left || !right || node.inputs.length !== 2) return false;
  return !context.isConstant(left) && !context.isConstant(right);
}

/** Whether the operands of a matrix product are transposed. */
export function adjoints(node: GraphNode): { left: boolean; right: boolean } {
  const [left, right] = (isProduct(node) ? PRODUCTS[node.op] : undefined) ?? ['', ''];
  return { left: readBool(node.attributes, left), right: readBool(node.attributes, right) };
}

/** A product in Einstein's notation; undefined where the ranks are not known or the equation is of another kind. */
export function equationOf(context: Context, node: GraphNode): Equation | undefined {
  if (node.op === 'Einsum') return parseEquation(readString(node.attributes, 'equation'));
  const [left, right] = node.inputs;
  const rank = left && rankOf(context, left);
  if (rank === undefined || !right || rankOf(context, right) !== rank) return undefined;
  const { left: transposeLeft, right: transposeRight } = adjoints(node);
  return productEquation(rank, transposeLeft, transposeRight);
}

/** The two products around a softmax: queries by keys before it, probabilities by values after it. */
export interface Products {
  readonly softmax: Softmax;
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
export function findProducts(context: Context, softmax: Softmax): Products | Failure {
  const first = findScores(context, softmax);
  if (isProblem(first)) return { ...first, reached: 'softmax' };
  const second = findSum(context, softmax);
  if (isProblem(second)) return { ...second, reached: 'scores' };
  return { softmax, ...first, ...second };
}

/** Walks back from the logits, past what shifts all logits of a query by one number, which a softmax does not feel. */
function walkScores(context: Context, { logits, axes }: Softmax, shifted: typeof shiftedBy = shiftedBy): Walk {
  let { source, steps } = walkBack(context, logits, { until: (step) => step.kind === 'bias' });
  for (let node = context.producer(source); node; node = context.producer(source)) {
    const isTurned = steps.some(({ kind }) => kind === 'transpose' || kind === 'reshape');
    const slot = shifted(context, node, isTurned ? undefined : axes);
    const next = slot === undefined ? undefined : node.inputs[slot];
    if (slot === undefined || !next) break;
    const further = walkBack(context, next, { until: (step) => step.kind === 'bias' });
    steps = [...further.steps, { node, slot, kind: 'same' }, ...steps];
    source = further.source;
  }
  const rest = walkBack(context, source);
  return { source: rest.source, steps: [...rest.steps, ...steps] };
}

/**
 * The operand of an addition or subtraction that holds the logits, where the other is one number, or one for each query.
 *
 * @param axes of the softmax; undefined where axes have moved since, so that only one number for all will do
 */
function shiftedBy(context: Context, node: GraphNode, axes: readonly number[] | undefined): 0 | 1 | undefined {
  const slots = /^(Add|AddV2)$/.test(node.op) ? ([0, 1] as const) : node.op === 'Sub' ? ([0] as const) : [];
  return slots.find((slot) => {
    const [logits, shift] = [node.inputs[slot], node.inputs[1 - slot]];
    if (!logits || !shift || context.isConstant(logits)) return false;
    const values = context.shapes.values(shift) ?? [];
    if (values.length > 0 && values.every((value) => value === values[0])) return true;
    const dims = context.shapes.dims(beforeSpread(context, shift));
    const whole = context.shapes.dims(logits);
    if (!dims || (!context.isConstant(shift) && !whole)) return false;
    if (context.isConstant(shift) && dims.every((size) => size === 1)) return true;
    const at = (list: readonly (number | undefined)[], axis: number, rank: number) => {
      const fromEnd = axis < 0 ? axis : axis - rank;
      return list.length + fromEnd < 0 ? 1 : list[list.length + fromEnd];
    };
    const rank = whole?.length ?? dims.length;
    return axes?.every((axis) => at(dims, axis, rank) === 1 && (!whole || at(whole, axis, rank) !== 1)) ?? false;
  });
}

function findScores(context: Context, softmax: Softmax): Pick<Products, 'scores' | 'before' | 'scale'> | Problem {
  const { source, steps } = walkScores(context, softmax);
  const node = context.producer(source);
  if (!node) return problem(softmax.node.name, 'the softmax has no input');
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

/**
 * Why an Exp that is not the heart of a softmax may be that of an attention nevertheless: it is of a product of queries and
 * keys. Undefined where it is not.
 */
export function strayExp(context: Context, node: GraphNode): Problem | undefined {
  const [logits] = node.inputs;
  if (node.op !== 'Exp' || !logits) return undefined;
  const whole = { node, logits, axes: [-1], nodes: [] };
  const { source } = walkScores(context, whole, (_, { op }) => (op === 'Sub' ? 0 : undefined));
  const maker = context.producer(source);
  if (!maker || !isDataProduct(context, maker)) return undefined;
  const read = readExp(context, node);
  if (isProblem(read)) return read;
  return problem(
    node.name,
    'the exponentials of the logits are not divided by their sum over the keys, or not in a way that is read',
  );
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
    const shift = node.inputs.find(
      (input) => input.node !== products[0]?.node && context.shapes.shape(input) === undefined,
    );
    if (shift && /^(Add|AddV2|Sub)$/.test(node.op)) {
      const what = `whether a mask or one number a query is added to the logits (${node.op})`;
      return `not known without the weights: ${what}, for ${context.shapes.reason(shift)}`;
    }
    if (/^(Add|AddV2|Sub|AddN)$/.test(node.op)) return `a mask or a position bias is added to the logits (${node.op})`;
    if (/^Select/.test(node.op)) return `the logits are masked (${node.op})`;
    return `the logits pass a ${node.op} before the softmax`;
  }
  return `the softmax is of a ${node.op}, not of a product of queries and keys`;
}

function findSum(context: Context, softmax: Softmax): Pick<Products, 'sum' | 'after' | 'probabilities'> | Problem {
  const after: Step[] = [];
  let from = outputOf(softmax.node);
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
