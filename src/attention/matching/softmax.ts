import { type Endpoint, formatEndpoint, type GraphNode, readBool, sameEndpoint } from '../../graph/index.ts';
import { type Context, type Problem, problem } from './context.ts';
import { dataUses, isPassive, outputOf } from './walk.ts';

/** A softmax, of one op or of several: what goes in, the node that the probabilities come from, and over what. */
export interface Softmax {
  readonly node: GraphNode;
  readonly logits: Endpoint;
  /** The axes that sum to 1; negative ones count from the end. */
  readonly axes: readonly number[];
  /** Every node between the logits and the probabilities, but for sums and maxima beside the way. */
  readonly nodes: readonly string[];
}

/** What an Exp is: the softmax that it is the heart of; a reason where it looks like one and cannot be read; or neither. */
export type ReadExp = Softmax | Problem | undefined;

const DIVISIONS = new Set(['RealDiv', 'Div', 'DivNoNan']);
const SPREADS = new Set(['BroadcastTo', 'Tile']);

/** A softmax of one op. */
export function softmaxOf(node: GraphNode): Softmax | undefined {
  const [logits] = node.inputs;
  return node.op === 'Softmax' && logits ? { node, logits, axes: [-1], nodes: [node.name] } : undefined;
}

/**
 * Reads an Exp as the heart of a softmax: `exp(x) / sum(exp(x))`, with what shifts x taken away by whoever follows the
 * logits; `exp(logSoftmax(x))`; or `exp(x - logSumExp(x))`, where logSumExp is `log(sum(exp(x - m))) + m` for any m.
 */
export function readExp(context: Context, node: GraphNode): ReadExp {
  const [argument] = node.inputs;
  if (node.op !== 'Exp' || !argument) return undefined;
  return (
    ofLogSoftmax(context, node, argument) ?? ofLogSumExp(context, node, argument) ?? ofDivision(context, node, argument)
  );
}

function ofLogSoftmax(context: Context, node: GraphNode, argument: Endpoint): Softmax | undefined {
  const maker = producerBehind(context, argument, isPassive);
  const [logits] = maker?.inputs ?? [];
  if (maker?.op !== 'LogSoftmax' || !logits) return undefined;
  return { node, logits, axes: [-1], nodes: [node.name, maker.name] };
}

function ofLogSumExp(context: Context, node: GraphNode, argument: Endpoint): ReadExp {
  const difference = differenceAt(context, argument);
  if (!difference) return undefined;
  const [logits, normalizer] = difference;
  const sum = logSumExp(context, logits, normalizer);
  if (!sum) return undefined;
  const axes = axesOf(context, sum, normalizer, logits);
  return 'problem' in axes ? axes : { node, logits, axes: axes.axes, nodes: [node.name, argument.node] };
}

/** The two sides of `a - b`, also as `a + (-b)`. */
function differenceAt(context: Context, at: Endpoint): readonly [Endpoint, Endpoint] | undefined {
  const node = producerBehind(context, at, isPassive);
  const [left, right] = node?.inputs ?? [];
  if (!node || !left || !right) return undefined;
  if (node.op === 'Sub') return [left, right];
  if (node.op !== 'Add' && node.op !== 'AddV2') return undefined;
  const negated = (side: Endpoint) => {
    const maker = context.producer(side);
    return maker?.op === 'Neg' ? maker.inputs[0] : undefined;
  };
  const [ofRight, ofLeft] = [negated(right), negated(left)];
  if (ofRight) return [left, ofRight];
  return ofLeft && [right, ofLeft];
}

/** The Sum of `log(sum(exp(x - m))) + m`, or of `log(sum(exp(x)))`. */
function logSumExp(context: Context, x: Endpoint, normalizer: Endpoint): GraphNode | undefined {
  const node = producerBehind(context, normalizer, isShapeOnly);
  if (!node) return undefined;
  if (node.op === 'Log') {
    const sum = sumBehind(context, node);
    return sum && equal(context, sum.argument, x) ? sum.node : undefined;
  }
  if (node.op !== 'Add' && node.op !== 'AddV2') return undefined;
  for (const [index, side] of node.inputs.entries()) {
    const log = producerBehind(context, side, isShapeOnly);
    const shift = node.inputs[1 - index];
    const sum = log?.op === 'Log' ? sumBehind(context, log) : undefined;
    const inner = sum && differenceAt(context, sum.argument);
    if (sum && inner && shift && equal(context, inner[0], x) && equal(context, inner[1], shift)) return sum.node;
  }
  return undefined;
}

/** The sum of exponentials that a Log or Reciprocal is of, and what they are of. */
function sumBehind(context: Context, of: GraphNode): { node: GraphNode; argument: Endpoint } | undefined {
  const node = of.inputs[0] && producerBehind(context, of.inputs[0], isShapeOnly);
  const exp = node?.op === 'Sum' && node.inputs[0] ? producerBehind(context, node.inputs[0], isPassive) : undefined;
  const [argument] = exp?.inputs ?? [];
  return node && exp?.op === 'Exp' && argument ? { node, argument } : undefined;
}

/** `exp(x)` divided by its sum, or times the reciprocal of it. */
function ofDivision(context: Context, exp: GraphNode, logits: Endpoint): ReadExp {
  for (const { node, slot } of dataUses(context, outputOf(exp))) {
    const [left, right] = node.inputs;
    if (!left || !right) continue;
    const isDivision = DIVISIONS.has(node.op) && slot === 0;
    const other = isDivision ? right : node.op === 'Mul' ? reciprocalAt(context, slot === 0 ? right : left) : undefined;
    const sum = other && producerBehind(context, other, isShapeOnly);
    const isOwn =
      sum?.op === 'Sum' && sum.inputs[0] && producerBehind(context, sum.inputs[0], isPassive)?.name === exp.name;
    if (!isOwn || !sum || !other) continue;
    const axes = axesOf(context, sum, other, outputOf(exp));
    if ('problem' in axes) return axes;
    return { node, logits, axes: axes.axes, nodes: [exp.name, sum.name, node.name, ...between(context, node, sum)] };
  }
  return undefined;
}

function reciprocalAt(context: Context, at: Endpoint): Endpoint | undefined {
  const node = producerBehind(context, at, isShapeOnly);
  const [first, second] = node?.inputs ?? [];
  if (node?.op === 'Reciprocal' || node?.op === 'Inv') return first;
  const isOne = first !== undefined && context.shapes.values(first)?.every((value) => value === 1);
  return node && DIVISIONS.has(node.op) && isOne ? second : undefined;
}

/** The nodes on the way from a sum to the division by it. */
function between(context: Context, division: GraphNode, sum: GraphNode): string[] {
  const users = context.graph.consumers(sum.name).map((use) => use.node.name);
  return users.filter((name) => name !== division.name);
}

/** The axes of a sum, where what is made of it meets the exponentials along all others. */
function axesOf(
  context: Context,
  sum: GraphNode,
  made: Endpoint,
  whole: Endpoint,
): { axes: readonly number[] } | Problem {
  const [, axesInput] = sum.inputs;
  const axes = axesInput && context.shapes.values(axesInput);
  const dims = context.shapes.dims(whole);
  if (!axesInput || !axes || !dims) {
    const constant = axesInput ? `the values of the constant "${formatEndpoint(axesInput)}"` : 'the axes of the sum';
    const reason = !axes
      ? `${constant} are not in the document`
      : (context.shapes.reason(whole) ?? 'its rank is not known');
    return problem(
      sum.name,
      `not known without the weights: over what a softmax made of other ops sums, for ${reason}`,
    );
  }
  const fromStart = axes.map((axis) => (axis < 0 ? axis + dims.length : axis)).sort((a, b) => a - b);
  const kept = context.shapes.dims(behind(context, made, (node) => SPREADS.has(node.op)));
  const keepsAxes = readBool(sum.attributes, 'keep_dims') || readBool(sum.attributes, 'keepdims');
  const fits = kept?.length === dims.length && fromStart.every((axis) => (kept[axis] ?? 1) === 1);
  if (fits || (keepsAxes && !kept)) return { axes: fromStart };
  return problem(sum.name, 'exponentials of the logits are divided by a sum that lies along other axes');
}

/** Whether two endpoints are the same value: the same tensor, or made of the same by the same ops. */
function equal(context: Context, a: Endpoint, b: Endpoint, depth = 0): boolean {
  const [x, y] = [behind(context, a, isShapeOnly), behind(context, b, isShapeOnly)];
  if (sameEndpoint(x, y)) return true;
  const [left, right] = [context.producer(x), context.producer(y)];
  if (!left || !right || depth > 4 || left.op !== right.op || !left.inputs.length) return false;
  if (/^(Placeholder|Random|Const)/.test(left.op) || x.output !== y.output) return false;
  if (left.inputs.length !== right.inputs.length) return false;
  if (JSON.stringify(left.attributes) !== JSON.stringify(right.attributes)) return false;
  return left.inputs.every((input, index) => {
    const other = right.inputs[index];
    return other !== undefined && (sameValues(context, input, other) || equal(context, input, other, depth + 1));
  });
}

function sameValues(context: Context, a: Endpoint, b: Endpoint): boolean {
  const [x, y] = [context.shapes.values(a), context.shapes.values(b)];
  return x !== undefined && y !== undefined && x.join() === y.join();
}

/** The first endpoint on the way back that does more than what `passes` allows. */
function behind(context: Context, from: Endpoint, passes: (node: GraphNode) => boolean): Endpoint {
  let at = from;
  for (let node = context.producer(at); node && passes(node); node = context.producer(at)) {
    const [next] = node.inputs;
    if (!next) break;
    at = next;
  }
  return at;
}

function producerBehind(context: Context, from: Endpoint, passes: (node: GraphNode) => boolean): GraphNode | undefined {
  return context.producer(behind(context, from, passes));
}

/** Ops that change a tensor's shape at most: by reshaping it, or by repeating it along axes of size 1. */
function isShapeOnly(node: GraphNode): boolean {
  return isPassive(node) || SPREADS.has(node.op) || /^(Reshape|ExpandDims|Squeeze)$/.test(node.op);
}

/** Where a tensor is repeated along axes, the tensor. */
export function beforeSpread(context: Context, from: Endpoint): Endpoint {
  return behind(context, from, (node) => isPassive(node) || SPREADS.has(node.op));
}
