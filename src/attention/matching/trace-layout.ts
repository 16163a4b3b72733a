import type { Endpoint } from '../../graph/index.ts';
import { type Layout, reshapeLayout, transposeLayout } from './axes.ts';
import type { Context } from './context.ts';
import { isProblem, type Problem, problem } from './problem.ts';
import type { Step } from './step.ts';
import { outputOf } from './walk.ts';

/** A layout, or undefined where the constants that would tell it are not in the document. */
export type KnownLayout = Layout | undefined;

/** Follows the digits of a tensor through a step. A problem where the step tears digits apart. */
export function applyStep(context: Context, layout: KnownLayout, step: Step): KnownLayout | Problem {
  if (!layout) return undefined;
  if (step.kind === 'transpose') return transposed(context, layout, step);
  const shape = context.shapes.shape(outputOf(step.node));
  if (!shape) return undefined;
  const result = reshapeLayout(layout, shape);
  return result ?? problem(step.node.name, `mixes tokens and heads: [${sizes(layout)}] becomes [${shape}]`);
}

function transposed(context: Context, layout: Layout, { node }: Step): KnownLayout {
  const order = node.inputs[1] && context.shapes.values(node.inputs[1]);
  return order ? transposeLayout(layout, order) : undefined;
}

function sizes(layout: Layout): string {
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

/** The number of dimensions of an endpoint, where it is known. */
export function rankOf(context: Context, of: Endpoint): number | undefined {
  return context.shapes.dims(of)?.length;
}
