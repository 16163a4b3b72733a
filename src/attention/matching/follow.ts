import { type GraphNode, parseEquation, readString } from '../../graph/index.ts';
import {
  type AxisLayout,
  applySteps,
  countDigits,
  type Digit,
  type KnownLayout,
  sameDigits,
  wholeAxis,
} from './axis-layout.ts';
import { type Context, isProblem, type Problem, problem, rankOf } from './context.ts';
import { contract, readScores, readValues, type Scores } from './heads.ts';
import { type Operand, readOperand } from './operand.ts';
import { equationOf, type Products } from './products.ts';

/** ProbedSizes at the probe: heads are a fact of the model, batch and tokens of the probe. */
export interface ProbedSizes {
  readonly heads: number;
  readonly headDim: number;
  readonly batch: number;
  readonly queryTokens: number;
  readonly keyTokens: number;
}

export interface Operands {
  readonly left: Operand;
  readonly right: Operand;
  readonly value: Operand;
}

/** Reads both operands of the first product and the values of the second back to their projections. */
export function readOperands(context: Context, { scores, sum, probabilities }: Products): Operands | Problem {
  const [first, second] = scores.inputs;
  const values = sum.inputs[1 - probabilities];
  if (!first || !second || !values) return problem(scores.name, 'does not have two operands');
  // What is the query is told by the axis of the softmax, later; until then the names are a guess for messages.
  const [one, other] = keysFirst(scores) ? (['keys', 'queries'] as const) : (['queries', 'keys'] as const);
  const left = readOperand(context, first, { side: 'left', name: one });
  if (isProblem(left)) return left;
  const right = readOperand(context, second, { side: 'right', name: other });
  if (isProblem(right)) return right;
  const value = readOperand(context, values, { side: 'value', name: 'values' });
  if (isProblem(value)) return value;
  if (value.scale !== 1) return problem(sum.name, 'the values are scaled');
  const [a, b, c] = [left, right, value].map(({ projected }) => projected.channels);
  if (a !== undefined && b !== undefined && a !== b && isGrouped([a, b, c])) {
    return problem(
      scores.name,
      `${other === 'keys' ? other : one} and values have ${Math.min(a, b)} channels for ${Math.max(a, b)} of the queries: grouped-query or multi-query attention`,
    );
  }
  if (a !== b || a !== c) return problem(scores.name, `queries, keys and values have ${a}, ${b} and ${c} channels`);
  return { left, right, value };
}

/** Whether keys and values have a part of the queries' channels: fewer heads, which several of the queries' share. */
function isGrouped([a = 0, b = 0, c]: readonly (number | undefined)[]): boolean {
  const [fewer, more] = [Math.min(a, b), Math.max(a, b)];
  return fewer > 0 && c === fewer && more % fewer === 0;
}

/** Keras multiplies keys by queries: the last letter of its equation's result is the first operand's. */
function keysFirst(scores: GraphNode): boolean {
  const { left, result } = parseEquation(readString(scores.attributes, 'equation')) ?? {};
  const last = result?.at(-1);
  return last !== undefined && left?.includes(last) === true;
}

export interface FollowedScores {
  readonly query: Operand;
  readonly key: Operand;
  readonly sizes: ProbedSizes | undefined;
  /** Of the probabilities as they enter the product with the values. */
  readonly layout: KnownLayout;
}

/** Follows tokens and heads from the projections through the product and the softmax. */
export function followScores(
  context: Context,
  products: Products,
  { left, right }: Operands,
): FollowedScores | Problem {
  const asWritten = () => namedByProduct(context, products, { left, right });
  const equation = equationOf(context, products.scores);
  if (!left.layout || !right.layout || !equation) return asWritten();
  const contraction = contract(equation, left.layout, right.layout);
  const scores = contraction ? readScores(contraction) : 'its operands do not have the ranks of its equation';
  if (typeof scores === 'string') return problem(products.scores.name, scores);
  const compared = applySteps(context, scores.layout, products.before);
  if (isProblem(compared)) return compared;
  if (!compared) return asWritten();
  const keySide = softmaxSide(compared, products.softmax.axes, scores);
  if (!keySide) return problem(products.softmax.node.name, 'the softmax is not over all keys of one query');
  const sizes = sizesOf(scores, keySide);
  const layout = applySteps(context, nameAxes(compared, keySide, sizes), products.after);
  if (isProblem(layout)) return layout;
  const [query, key] = keySide === 'right' ? [left, right] : [right, left];
  return { query, key, sizes, layout };
}

/** Where shapes are not known: the keys are the operand that the axis of the softmax is of, as far as that can be followed. */
function namedByProduct(
  context: Context,
  { scores, before, softmax }: Products,
  { left, right }: Pick<Operands, 'left' | 'right'>,
): FollowedScores | Problem {
  let axis: number | undefined = softmax.axes.at(-1);
  const rank = rankOf(context, softmax.logits);
  if (axis !== undefined && axis >= 0) axis = rank === undefined ? undefined : axis - rank;
  for (const { kind, node } of before.toReversed()) {
    if (kind === 'reshape') axis = axis === -1 ? axis : undefined;
    if (kind !== 'transpose') continue;
    const order = node.inputs[1] && context.shapes.values(node.inputs[1]);
    const from: number | undefined = axis === undefined ? undefined : order?.at(axis);
    axis = from === undefined || !order ? undefined : from < 0 ? from : from - order.length;
  }
  const side = axis === undefined ? undefined : sideOfAxis(scores, axis);
  if (!side) {
    const constants = 'the values of constants between the product and the softmax are not in the document';
    return problem(scores.name, `not known without the weights: which operand the queries are, for ${constants}`);
  }
  const [query, key] = side === 'right' ? [left, right] : [right, left];
  return { query, key, sizes: undefined, layout: undefined };
}

/** The operand that an axis of a product, counted from the end, is of. */
function sideOfAxis(scores: GraphNode, axis: number): 'left' | 'right' | undefined {
  if (scores.op !== 'Einsum') return axis === -1 ? 'right' : axis === -2 ? 'left' : undefined;
  const { left, right, result } = parseEquation(readString(scores.attributes, 'equation')) ?? {};
  const label = result?.at(axis);
  if (label === undefined || left?.includes(label) === right?.includes(label)) return undefined;
  return left?.includes(label) ? 'left' : 'right';
}

/** The operand whose tokens the axes of the softmax count: the keys. */
function softmaxSide(
  layout: AxisLayout,
  axes: readonly number[],
  { leftTokens, rightTokens }: Scores,
): 'left' | 'right' | undefined {
  const last = axes.flatMap((axis) => layout.at(axis) ?? []);
  if (sameDigits(last, wholeAxis('right.token', rightTokens))) return 'right';
  return sameDigits(last, wholeAxis('left.token', leftTokens)) ? 'left' : undefined;
}

function sizesOf({ heads, headDim, batch, leftTokens, rightTokens }: Scores, keySide: 'left' | 'right'): ProbedSizes {
  const [queryTokens, keyTokens] = keySide === 'right' ? [leftTokens, rightTokens] : [rightTokens, leftTokens];
  return { heads, headDim, batch, queryTokens, keyTokens };
}

/** Names the axes of the scores by what they are. What queries and keys share counts as the queries'. */
function nameAxes(layout: AxisLayout, keySide: 'left' | 'right', { queryTokens, keyTokens }: ProbedSizes): AxisLayout {
  const name = (digit: Digit): Digit => {
    const [side, kind] = digit.axis.split('.');
    if (kind === 'channel') return { ...digit, axis: 'query.channel' };
    if (side !== keySide) return { ...digit, axis: 'query.token' };
    if (digit.stride < keyTokens) return { ...digit, axis: 'key.token' };
    return { ...digit, axis: 'query.token', stride: (digit.stride / keyTokens) * queryTokens };
  };
  return layout.map((dim) => dim.map(name));
}

/** Follows probabilities and values through the second product. */
export function followValues(
  context: Context,
  { sum, probabilities }: Products,
  { layout, sizes }: FollowedScores,
  value: Operand,
): { layout: KnownLayout; sizes: ProbedSizes | undefined } | Problem {
  const equation = equationOf(context, sum);
  if (!layout || !sizes || !value.layout || !equation) return { layout: undefined, sizes };
  const [left, right] = probabilities === 0 ? [layout, value.layout] : [value.layout, layout];
  const contraction = contract(equation, left, right);
  if (!contraction) return problem(sum.name, 'its operands do not have the ranks of its equation');
  const result = readValues(contraction, probabilities === 0 ? 'left' : 'right', sizes);
  if (typeof result === 'string') return problem(sum.name, result);
  const total = countDigits(result.flat());
  const expected = sizes.batch * sizes.queryTokens * value.projected.channels;
  return total === expected
    ? { layout: result, sizes }
    : problem(sum.name, 'the result does not have one vector of channels a query');
}
