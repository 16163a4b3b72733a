import type { Equation } from '../../graph/index.ts';
import { type AxisLayout, type Digit, type IndexAxis, joinDigits, sameDigits, wholeAxis } from './axis-layout.ts';

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
  readonly result: AxisLayout;
}

export interface Pair {
  readonly left: readonly Digit[];
  readonly right: readonly Digit[];
}

/** Applies an equation to the layouts of two operands; undefined where the ranks do not fit it. */
export function contract(equation: Equation, left: AxisLayout, right: AxisLayout): Contraction | undefined {
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

/** How the product of queries and keys is made of heads; a text where it is not. */
export interface Scores {
  readonly headDim: number;
  readonly heads: number;
  readonly batch: number;
  /** Tokens that the left operand has for each item of the batch, and the right one. */
  readonly leftTokens: number;
  readonly rightTokens: number;
  readonly layout: AxisLayout;
}

/** The digits as one, when they are the low part of one axis; its size. */
function lowPart(digits: readonly Digit[], kind: 'token' | 'channel'): number | undefined {
  const ordered = joinDigits(digits.toSorted((a, b) => b.stride - a.stride));
  const [only, ...others] = ordered;
  if (!only) return 1;
  return !others.length && only.axis.endsWith(kind) && only.stride === 1 ? only.size : undefined;
}

function sizeOfKind(digits: readonly Digit[], kind: 'token' | 'channel'): number {
  return digits.filter(({ axis }) => axis.endsWith(kind)).reduce((product, { size }) => product * size, 1);
}

/** Brings the tokens of both sides to a common measure: batch digits count in steps of a side's tokens. */
function comparable(tokens: Readonly<Record<string, number>>): (digit: Digit) => Digit {
  return (digit) => {
    const [side = '', kind] = digit.axis.split('.');
    const isToken = kind === 'token';
    const axis: IndexAxis = isToken ? 'left.token' : 'left.channel';
    return { axis, size: digit.size, stride: isToken ? digit.stride / (tokens[side] ?? 1) : digit.stride };
  };
}

function leftDigits(pairs: readonly Pair[]): readonly Digit[] {
  return pairs.flatMap((pair) => pair.left);
}

/** Reads the product of queries and keys: it sums over the width of a head, for each head and item of the batch. */
export function readScores({ batch, summed, freeLeft, freeRight, result }: Contraction): Scores | string {
  const headDim = lowPart(leftDigits(summed), 'channel');
  const rightDim = lowPart(
    summed.flatMap((pair) => pair.right),
    'channel',
  );
  if (headDim === undefined || rightDim === undefined) return 'the product does not sum over the width of a head';
  if (headDim !== rightDim) return `queries have ${headDim} channels a head and keys ${rightDim}`;
  const leftTokens = lowPart(freeLeft, 'token');
  const rightTokens = lowPart(freeRight, 'token');
  if (leftTokens === undefined || rightTokens === undefined) return 'the product does not compare tokens with tokens';
  const compare = comparable({ left: leftTokens, right: rightTokens });
  if (!pairsAgree(summed, compare)) return 'the product sums over different channels of queries and keys';
  if (!pairsAgree(batch, compare)) return 'queries and keys are not of the same heads or items of the batch';
  const shared = leftDigits(batch);
  const heads = sizeOfKind(shared, 'channel');
  return { headDim, heads, batch: sizeOfKind(shared, 'token'), leftTokens, rightTokens, layout: result };
}

/** What the product with the values needs to know of the one before. */
export interface Sums {
  readonly headDim: number;
  readonly queryTokens: number;
  readonly keyTokens: number;
}

/**
 * Reads the product of probabilities and values: it sums over all keys, for each head and item of the batch. Gives the
 * layout of the result, with the heads of the values.
 */
export function readValues(
  contraction: Contraction,
  probabilities: 'left' | 'right',
  sizes: Sums,
): AxisLayout | string {
  const { batch, summed, freeLeft, freeRight, result } = contraction;
  const isLeft = probabilities === 'left';
  const of = (pair: Pair) => (isLeft ? [pair.left, pair.right] : [pair.right, pair.left]);
  const sum = summed.flatMap((pair) => of(pair)[0] ?? []);
  if (!sameDigits(sum, wholeAxis('key.token', sizes.keyTokens))) return 'the product does not sum over all keys';
  const compareSum = (digit: Digit): Digit => ({ ...digit, axis: 'key.token' });
  if (!pairsAgree(summed, compareSum)) return 'keys and values are not in the same order';
  const width = lowPart(isLeft ? freeRight : freeLeft, 'channel');
  if (width !== sizes.headDim) return `values have ${width ?? 'no'} channels a head and keys ${sizes.headDim}`;
  const compare = comparable({ query: sizes.queryTokens, value: sizes.keyTokens });
  if (!pairsAgree(batch, compare)) return 'values and keys are not of the same heads or items of the batch';
  return result.map((dim) =>
    dim.map((digit) =>
      digit.axis === 'query.channel' ? { ...digit, axis: 'value.channel' } : normalBatch(digit, sizes),
    ),
  );
}

/** Batch digits count in steps of the query tokens, whichever operand they were taken from. */
function normalBatch(digit: Digit, { queryTokens, keyTokens }: Sums): Digit {
  if (digit.axis !== 'value.token') return digit;
  return { axis: 'query.token', stride: (digit.stride / keyTokens) * queryTokens, size: digit.size };
}
