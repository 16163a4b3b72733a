import { type Context, isProblem, type Problem, problem } from './context.ts';
import { outputOf, type Step } from './walk.ts';

/**
 * A part of an index: digit `floor(index / stride) % size` of the linear index of `axis`.
 *
 * Splitting heads off channels, folding them into the batch and transposing are then the same thing: digits that move.
 */
export interface Digit {
  readonly axis: IndexAxis;
  readonly stride: number;
  readonly size: number;
}

/** What an index counts: the tokens or the channels of the queries, keys or values; `left`, `right`: of a product. */
export type IndexAxis = `${'left' | 'right' | 'query' | 'key' | 'value'}.${'token' | 'channel'}`;

/** How a tensor's dimensions are made of digits, major first. Dimensions of size 1 are empty. */
export type AxisLayout = ReadonlyArray<readonly Digit[]>;

/** Digits as few as they can be: neighbours that continue each other are joined, those of size 1 left out. */
export function joinDigits(digits: readonly Digit[]): readonly Digit[] {
  const joined: Digit[] = [];
  for (const digit of digits) {
    if (digit.size === 1) continue;
    const last = joined.at(-1);
    if (last?.axis === digit.axis && last.stride === digit.stride * digit.size) {
      joined[joined.length - 1] = { ...digit, size: last.size * digit.size };
    } else joined.push(digit);
  }
  return joined;
}

/** The digits of an axis of several sizes, one digit a dimension. */
export function digitsOf(axis: IndexAxis, sizes: readonly number[]): Digit[] {
  let stride = 1;
  return sizes
    .toReversed()
    .map((size) => {
      const digit = { axis, stride, size };
      stride *= size;
      return digit;
    })
    .reverse();
}

/** The whole of an axis as one digit; nothing where it has one index. */
export function wholeAxis(axis: IndexAxis, size: number): readonly Digit[] {
  return joinDigits([{ axis, stride: 1, size }]);
}

/** Regroups the digits of a tensor to a new shape; undefined where a dimension would cut through a digit. */
export function reshapeLayout(layout: AxisLayout, shape: readonly number[]): AxisLayout | undefined {
  const rest = [...joinDigits(layout.flat())];
  const dims: Digit[][] = [];
  for (const size of shape) {
    const dim = takeDigits(rest, size);
    if (!dim) return undefined;
    dims.push(dim);
  }
  return rest.length ? undefined : dims;
}

/** Takes digits of `size` elements together from the front, cutting the last one where it must. */
function takeDigits(rest: Digit[], size: number): Digit[] | undefined {
  const taken: Digit[] = [];
  let open = size;
  while (open > 1) {
    const digit = rest.shift();
    if (!digit) return undefined;
    if (open % digit.size === 0) {
      taken.push(digit);
      open /= digit.size;
    } else if (digit.size % open === 0) {
      const minor = digit.size / open;
      taken.push({ ...digit, stride: digit.stride * minor, size: open });
      rest.unshift({ ...digit, size: minor });
      open = 1;
    } else return undefined;
  }
  return taken;
}

export function transposeLayout(layout: AxisLayout, order: readonly number[]): AxisLayout {
  return order.map((axis) => layout[axis < 0 ? axis + layout.length : axis] ?? []);
}

export function sameDigits(a: readonly Digit[], b: readonly Digit[]): boolean {
  const x = joinDigits(a);
  const y = joinDigits(b);
  return (
    x.length === y.length &&
    x.every((digit, index) => {
      const other = y[index];
      return digit.axis === other?.axis && digit.stride === other.stride && digit.size === other.size;
    })
  );
}

/** Number of elements that digits count. */
export function countDigits(digits: readonly Digit[]): number {
  return digits.reduce((product, { size }) => product * size, 1);
}

/** The sizes of the dimensions of a layout. */
export function shapeOfLayout(layout: AxisLayout): number[] {
  return layout.map(countDigits);
}

/** Names an axis of a layout anew. */
export function renameAxis(layout: AxisLayout, names: Readonly<Partial<Record<IndexAxis, IndexAxis>>>): AxisLayout {
  return layout.map((dim) => dim.map((digit) => ({ ...digit, axis: names[digit.axis] ?? digit.axis })));
}

/** A layout, or undefined where the constants that would tell it are not in the document. */
export type KnownLayout = AxisLayout | undefined;

/** Follows the digits of a tensor through a step. A problem where the step tears digits apart. */
export function applyStep(context: Context, layout: KnownLayout, step: Step): KnownLayout | Problem {
  if (!layout) return undefined;
  if (step.kind === 'transpose') return transposed(context, layout, step);
  const shape = context.shapes.shape(outputOf(step.node));
  if (!shape) return undefined;
  const result = reshapeLayout(layout, shape);
  return result ?? problem(step.node.name, `mixes tokens and heads: [${sizes(layout)}] becomes [${shape}]`);
}

function transposed(context: Context, layout: AxisLayout, { node }: Step): KnownLayout {
  const order = node.inputs[1] && context.shapes.values(node.inputs[1]);
  return order ? transposeLayout(layout, order) : undefined;
}

function sizes(layout: AxisLayout): string {
  return layout.map((dim) => dim.reduce((product, { size }) => product * size, 1)).join(',');
}

/** Follows the digits of a tensor through several steps. */
export function applySteps(context: Context, start: KnownLayout, steps: readonly Step[]): KnownLayout | Problem {
  let layout = start;
  for (const step of steps) {
    const next = applyStep(context, layout, step);
    if (isProblem(next)) return next;
    layout = next;
  }
  return layout;
}
