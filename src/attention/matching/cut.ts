import { type CutRanges, cutRanges, formatEndpoint } from '../../graph/index.ts';
import type { ChannelPart } from '../site.ts';
import { type AxisLayout, type Digit, type KnownLayout, reshapeLayout } from './axis-layout.ts';
import { type Context, isProblem, type Problem, problem } from './context.ts';
import { type Role, sharedHeads } from './projection.ts';
import type { Step } from './walk.ts';

/** What is left of a projection after a cut: its channels, counted anew from 0. */
export interface Cut {
  readonly layout: KnownLayout;
  /** Undefined where the cut takes all channels. */
  readonly part: ChannelPart | undefined;
}

/**
 * Follows queries, keys or values through a Split, Slice or their kin, which takes them out of a product that makes others
 * too. A problem where it takes tokens, or channels that are no range.
 */
export function applyCut(context: Context, layout: KnownLayout, step: Step, role: Role): Cut | Problem {
  const { node, output = 0 } = step;
  const ranges = cutRanges(context.callOf(node), output);
  if (!ranges || !layout) return problem(node.name, whyNotKnown(context, step, role));
  const found = cutAxis(context, layout, ranges, step, role);
  if (isProblem(found)) return found;
  const shape = context.shapes.shape({ node: node.name, output });
  const { layout: cut, part } = found;
  if (!shape) return problem(node.name, whyNotKnown(context, step, role));
  const result = reshapeLayout(cut, shape);
  return result
    ? { layout: result, part }
    : problem(node.name, `the ${role.name} are cut to another shape than they have`);
}

/** The one axis that is cut, and the layout after it. */
function cutAxis(
  context: Context,
  layout: AxisLayout,
  ranges: CutRanges,
  { node, slot }: Step,
  role: Role,
): { layout: AxisLayout; part: ChannelPart | undefined } | Problem {
  const input = node.inputs[slot];
  const sizes = (input && context.shapes.shape(input)) ?? [];
  let result: { layout: AxisLayout; part: ChannelPart | undefined } = { layout, part: undefined };
  for (const [axis, size] of sizes.entries()) {
    const { start, length, step } = ranges[axis] ?? { start: 0, length: size, step: 1 };
    if (length === size && start === 0 && step === 1) continue;
    const [digit, ...others] = layout[axis] ?? [];
    if (digit?.axis !== `${role.side}.channel`)
      return problem(node.name, `the ${role.name} are part of another tensor (${node.op})`);
    if (others.length || result.part) return problem(node.name, `the ${role.name} are cut across heads (${node.op})`);
    if (step !== 1 && length > 1) {
      return problem(
        node.name,
        `the ${role.name} are every ${ordinal(step)} channel of a product (${node.op}), not a range of them`,
      );
    }
    const { stride } = digit;
    const part = { start: stride * start, length: stride * length, period: stride * size };
    result = { layout: countAnew(layout, digit, part), part };
  }
  return result;
}

function ordinal(step: number): string {
  return step === 2 ? 'second' : step === 3 ? '3rd' : `${step}th`;
}

/** The channels that are left, numbered without gaps. */
function countAnew(layout: AxisLayout, cut: Digit, { length, period }: ChannelPart): AxisLayout {
  const renumber = (digit: Digit): Digit => {
    if (digit.axis !== cut.axis || digit.stride < cut.stride) return digit;
    if (digit.stride === cut.stride) return { ...digit, size: length / cut.stride };
    return { ...digit, stride: (digit.stride / period) * length };
  };
  return layout.map((dim) => dim.map(renumber).filter(({ size }) => size > 1));
}

/** A part of a part; undefined where it is no range of every period of the whole. */
export function composeParts(first: ChannelPart | undefined, second: ChannelPart): ChannelPart | undefined {
  if (!first) return second;
  if (second.period !== first.length) return undefined;
  return { start: first.start + second.start, length: second.length, period: first.period };
}

function whyNotKnown(context: Context, { node, slot }: Step, { name }: Role): string {
  const unknown = node.inputs.find(
    (input, index) => index !== slot && context.isConstant(input) && !context.shapes.values(input),
  );
  if (unknown) {
    const constant = `the values of the constant "${formatEndpoint(unknown)}" are not in the document`;
    return `not known without the weights: what the ${name} are cut from, for ${constant}`;
  }
  const whole = node.inputs[slot];
  const reason = whole && context.shapes.reason(whole);
  const indices = /^Gather/.test(node.op) && node.inputs[1] ? context.shapes.values(node.inputs[1]) : undefined;
  if (indices && new Set(indices).size < indices.length) return sharedHeads(node, { name });
  if (reason) return `not known without the weights: what the ${name} are cut from, for ${reason}`;
  return `the ${name} are part of another tensor (${node.op}), and not one range of it`;
}
