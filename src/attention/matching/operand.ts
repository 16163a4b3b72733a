import { type Endpoint, formatEndpoint } from '../../graph/index.ts';
import {
  type AxisLayout,
  applyStep,
  countDigits,
  type IndexAxis,
  type KnownLayout,
  sameDigits,
  wholeAxis,
} from './axis-layout.ts';
import { type Context, isProblem, type Problem, problem } from './context.ts';
import { applyCut, composeParts } from './cut.ts';
import { type ProjectionNode, projectionOf, type Role, sharedHeads } from './projection.ts';
import { outputOf, type Step, walkBack } from './walk.ts';

/** Queries, keys or values: their projection and what they pass until the product. */
export interface Operand {
  readonly role: Role;
  readonly projected: ProjectionNode;
  readonly bias: Endpoint | undefined;
  /** Product of the factors on the way; undefined where one is not known. */
  readonly scale: number | undefined;
  readonly layout: KnownLayout;
  readonly steps: readonly Step[];
}

/** Reads an operand of a product back to its projection. */
export function readOperand(context: Context, from: Endpoint, role: Role): Operand | Problem {
  const { source, steps } = walkBack(context, from, { cuts: true });
  const projected = projectionOf(context, source, role);
  if (isProblem(projected)) return projected;
  let operand: Operand = { role, projected, bias: projected.bias, scale: 1, layout: projected.layout, steps };
  for (const step of steps) {
    const next = pass(context, operand, step);
    if (isProblem(next)) return next;
    operand = next;
  }
  return operand;
}

function pass(context: Context, operand: Operand, step: Step): Operand | Problem {
  if (step.kind === 'cut') return passCut(context, operand, step);
  const repeated = findRepeat(context, operand, step);
  if (repeated) return repeated;
  const layout = applyStep(context, operand.layout, step);
  if (isProblem(layout)) return layout;
  if (step.kind === 'bias') {
    const wrong = checkBias(context, operand, step);
    return wrong ?? { ...operand, layout, bias: step.bias };
  }
  if (step.kind !== 'scale') return { ...operand, layout };
  const known = operand.scale !== undefined && step.factor !== undefined;
  return { ...operand, layout, scale: known ? (operand.scale ?? 1) * (step.factor ?? 1) : undefined };
}

/** An op that broadcasts keys and values to more heads than they have, as exporters spell an Expand. */
function findRepeat(context: Context, { role, layout }: Operand, { node }: Step): Problem | undefined {
  const shape = context.shapes.shape(outputOf(node));
  if (!layout || !shape) return undefined;
  const count = shape.reduce((product, size) => product * size, 1);
  return count > countDigits(layout.flat()) ? problem(node.name, sharedHeads(node, role)) : undefined;
}

/** A cut makes a projection of some of the product's channels. */
function passCut(context: Context, operand: Operand, step: Step): Operand | Problem {
  const { role, projected } = operand;
  const cut = applyCut(context, operand.layout, step, role);
  if (isProblem(cut)) return cut;
  if (!cut.part) return { ...operand, layout: cut.layout };
  const part = composeParts(projected.part, cut.part);
  if (!part)
    return problem(step.node.name, `the ${role.name} are cut twice, and what is left is not one range of channels`);
  const channels = (projected.channels / cut.part.period) * cut.part.length;
  return { ...operand, layout: cut.layout, projected: { ...projected, channels, part, apart: undefined } };
}

/** A bias belongs to the projection where it adds one number a channel, before anything else was done. */
function checkBias(
  context: Context,
  { role, projected, bias, scale, layout }: Operand,
  step: Step,
): Problem | undefined {
  const added = step.bias;
  const name = step.node.name;
  if (!added) return problem(name, 'adds nothing');
  if (bias) return problem(name, `adds "${formatEndpoint(added)}" to a projection that has a bias`);
  if (scale !== 1) return problem(name, `adds "${formatEndpoint(added)}" after a scale`);
  const shape = trimOnes(context.shapes.shape(added) ?? []);
  const count = shape.reduce((product, size) => product * size, 1);
  const last = layout?.slice(-shape.length);
  const fits = !last || isChannels(last, shape, `${role.side}.channel`);
  if (count === projected.channels && fits) return undefined;
  return problem(name, `adds "${formatEndpoint(added)}", which is not a bias of the projection`);
}

/** Whether dimensions are all channels in order, of the sizes of a bias. */
function isChannels(dims: AxisLayout, shape: readonly number[], axis: IndexAxis): boolean {
  const count = shape.reduce((product, size) => product * size, 1);
  return dims.every((dim, at) => countDigits(dim) === shape[at]) && sameDigits(dims.flat(), wholeAxis(axis, count));
}

function trimOnes(shape: readonly number[]): readonly number[] {
  const first = shape.findIndex((size) => size !== 1);
  return first < 0 ? [] : shape.slice(first);
}
