import {
  type Equation,
  type GraphNode,
  parseEquation,
  productEquation,
  readBool,
  readString,
} from '../../graph/index.ts';
import { type Digit, type Layout, sameDigits } from './axes.ts';
import type { Context } from './context.ts';
import { rankOf } from './trace-layout.ts';

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

/** What a product does with the digits of its operands. */
export interface Contraction {
  /** Dimensions that both operands have and the result keeps. */
  readonly batch: readonly Pair[];
  /** Dimensions that are summed over. */
  readonly summed: readonly Pair[];
  /** What only one operand has. */
  readonly freeLeft: readonly Digit[];
  readonly freeRight: readonly Digit[];
  /** The layout of the result; what both have is taken from the left operand. */
  readonly result: Layout;
}

export interface Pair {
  readonly left: readonly Digit[];
  readonly right: readonly Digit[];
}

/** Applies an equation to the layouts of two operands; undefined where the ranks do not fit it. */
export function contract(equation: Equation, left: Layout, right: Layout): Contraction | undefined {
  if (equation.left.length !== left.length || equation.right.length !== right.length) return undefined;
  const leftOf = (label: string) => left[equation.left.indexOf(label)] ?? [];
  const rightOf = (label: string) => right[equation.right.indexOf(label)] ?? [];
  const labels = [...new Set(equation.left + equation.right)];
  const kind = (label: string) => {
    const both = equation.left.includes(label) && equation.right.includes(label);
    if (both) return equation.result.includes(label) ? 'batch' : 'summed';
    return equation.left.includes(label) ? 'left' : 'right';
  };
  const pairs = (wanted: string) =>
    labels.filter((label) => kind(label) === wanted).map((label) => ({ left: leftOf(label), right: rightOf(label) }));
  return {
    batch: pairs('batch'),
    summed: pairs('summed'),
    freeLeft: pairs('left').flatMap((pair) => pair.left),
    freeRight: pairs('right').flatMap((pair) => pair.right),
    result: [...equation.result].map((label) => (equation.left.includes(label) ? leftOf(label) : rightOf(label))),
  };
}

/** Whether the two sides of every pair are the same after `right` was brought to the names of the left. */
export function pairsAgree(pairs: readonly Pair[], rename: (digit: Digit) => Digit): boolean {
  return pairs.every(({ left, right }) => sameDigits(left.map(rename), right.map(rename)));
}
