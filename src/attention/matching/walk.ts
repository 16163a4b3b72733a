import {
  type Endpoint,
  endpoint,
  type GraphNode,
  readType,
  sameEndpoint,
  slotOfCut,
  type Use,
} from '../../graph/index.ts';
import { type Context, type Problem, problem, readsShape } from './context.ts';

/** A node that a value passes on its way through an attention without becoming another value. */
export interface Step {
  readonly node: GraphNode;
  /** The input by which the value enters. */
  readonly slot: number;
  readonly kind: 'same' | 'reshape' | 'transpose' | 'scale' | 'bias' | 'cut';
  /** Of a scale: the factor, undefined where its value is not known. */
  readonly factor?: number | undefined;
  /** Of a bias: what is added. */
  readonly bias?: Endpoint;
  /** Of a cut: the output that is the part. */
  readonly output?: number;
}

const SAME = new Set(['Identity', 'StopGradient', 'Snapshot', 'CheckNumerics', 'EnsureShape']);
const RESHAPES = new Set(['Reshape', 'ExpandDims', 'Squeeze']);
const ADDITIONS = new Set(['Add', 'AddV2', 'BiasAdd']);
const DIVISIONS = new Set(['RealDiv', 'Div']);

/** Reads a node as a step; undefined where it makes something else of its inputs. */
export function stepOf(context: Context, node: GraphNode): Step | undefined {
  if (SAME.has(node.op)) return { node, slot: 0, kind: 'same' };
  if (RESHAPES.has(node.op)) return { node, slot: 0, kind: 'reshape' };
  if (node.op === 'Transpose') return { node, slot: 0, kind: 'transpose' };
  if (node.op === 'Cast') return castStep(node);
  if (ADDITIONS.has(node.op)) return additionStep(context, node);
  if (node.op === 'Mul') return scaleStep(context, node, 1) ?? scaleStep(context, node, 0);
  if (DIVISIONS.has(node.op)) return scaleStep(context, node, 1);
  return undefined;
}

/** Whether a node gives its first input on as it is. */
export function isPassive(node: GraphNode): boolean {
  return SAME.has(node.op) || (node.op === 'Cast' && castStep(node) !== undefined);
}

/** Casts between floats are nothing in TF.js, which has one float type. */
function castStep(node: GraphNode): Step | undefined {
  const to = readType(node.attributes, 'DstT');
  return to === undefined || to === 'float32' ? { node, slot: 0, kind: 'same' } : undefined;
}

function additionStep(context: Context, node: GraphNode): Step | undefined {
  const [left, right] = node.inputs;
  if (!left || !right) return undefined;
  if (isZero(context, right)) return { node, slot: 0, kind: 'same' };
  if (isZero(context, left)) return { node, slot: 1, kind: 'same' };
  if (context.isConstant(right)) return { node, slot: 0, kind: 'bias', bias: right };
  return context.isConstant(left) ? { node, slot: 1, kind: 'bias', bias: left } : undefined;
}

/**
 * Whether a tensor is zero everywhere. PyTorch's baddbmm with beta = 0 exports as an addition of an empty tensor times
 * zero, so zeros count wherever they come from.
 */
function isZero(context: Context, value: Endpoint, depth = 0): boolean {
  const values = context.shapes.values(value);
  if (values) return values.length > 0 && values.every((item) => item === 0);
  const node = context.producer(value);
  const [first, second] = node?.inputs ?? [];
  if (!node || !first || depth > 4) return false;
  if (node.op === 'ZerosLike') return true;
  if (node.op === 'Fill') return second !== undefined && isZero(context, second, depth + 1);
  if (node.op === 'Mul') return node.inputs.some((input) => isZero(context, input, depth + 1));
  const keeps = SAME.has(node.op) || RESHAPES.has(node.op) || /^(Cast|Transpose|BroadcastTo|Tile)$/.test(node.op);
  return keeps && isZero(context, first, depth + 1);
}

function scaleStep(context: Context, node: GraphNode, by: 0 | 1): Step | undefined {
  const operand = node.inputs[by];
  if (!operand) return undefined;
  const factor = factorOf(context, operand);
  if (!factor) return undefined;
  const { value } = factor;
  const inverse = node.op !== 'Mul' && value !== undefined;
  return { node, slot: 1 - by, kind: 'scale', factor: inverse ? 1 / value : value };
}

/** A number that scales a whole tensor; `value` is undefined where it is not known. */
function factorOf(context: Context, operand: Endpoint): { value: number | undefined } | undefined {
  const [value, ...others] = context.shapes.values(operand) ?? [];
  if (value !== undefined) {
    if (others.some((other) => other !== value)) return undefined;
    return context.isConstant(operand) || isFixed(context, operand, value) ? { value } : undefined;
  }
  const dims = context.shapes.dims(operand);
  const isNumber =
    dims !== undefined && (dims.every((size) => size === 1) || (dims.length < 2 && dims[0] === undefined));
  return isNumber && context.isShapeMath(operand) ? { value: undefined } : undefined;
}

/** Whether a number that was computed from shapes is the same at another size: 1 / sqrt(head dimension), say. */
function isFixed(context: Context, operand: Endpoint, value: number): boolean {
  return context.otherShapes.values(operand)?.every((other) => other === value) ?? false;
}

/** The way of a value back to where it was made. */
export interface Walk {
  /** The endpoint at which it was made. */
  readonly source: Endpoint;
  /** What it passed since, in the order of execution. */
  readonly steps: readonly Step[];
}

interface WalkOptions {
  /** Also through what takes a part of a tensor. */
  readonly cuts?: boolean;
  /** Where to stop: before the step is taken. */
  readonly until?: (step: Step) => boolean;
}

/** Walks back from an endpoint as long as the nodes are steps, or with `cuts` take a part of what is a step. */
export function walkBack(context: Context, from: Endpoint, { cuts = false, until }: WalkOptions = {}): Walk {
  const steps: Step[] = [];
  let source = from;
  for (let node = context.producer(source); node; node = context.producer(source)) {
    const step = stepOf(context, node) ?? (cuts ? cutStep(node, source) : undefined);
    const next = step && node.inputs[step.slot];
    if (!next || until?.(step)) break;
    steps.unshift(step);
    source = next;
  }
  return { source, steps };
}

function cutStep(node: GraphNode, { output }: Endpoint): Step | undefined {
  const slot = slotOfCut(node.op);
  return slot === undefined ? undefined : { node, slot, kind: 'cut', output };
}

/** The users of an endpoint that read its values. */
export function dataUses(context: Context, of: Endpoint): Use[] {
  return context.graph.consumers(of.node).filter((use) => use.output === of.output && !readsShape(use.node));
}

/** The one user of an endpoint, or the reason why there is not one. `what` names the value in messages. */
export function onlyUse(context: Context, of: Endpoint, what: string): Use | Problem {
  const [first, ...others] = dataUses(context, of);
  if (!first) return problem(of.node, `nothing reads ${what}`);
  if (others.length) {
    const users = [first, ...others].map((use) => `"${use.node.name}"`).join(', ');
    return problem(of.node, `${what} are read by ${others.length + 1} nodes: ${users}`);
  }
  if (context.isOutput(of.node)) return problem(of.node, `${what} are an output of the graph`);
  return first;
}

/** The step by which a use passes the value on; undefined where the user makes something else of it. */
export function stepOfUse(context: Context, use: Use): Step | undefined {
  const step = stepOf(context, use.node);
  return step?.slot === use.slot ? step : undefined;
}

/** An endpoint and those that it is a mere reshape of, nearest first. The last dimension stays what it is. */
export function reshapeChain(context: Context, from: Endpoint): Endpoint[] {
  const chain = [from];
  let last = from;
  for (let node = context.producer(last); node; node = context.producer(last)) {
    const next = node.inputs[0];
    const isReshape = /^(Reshape|ExpandDims|Squeeze|Identity|StopGradient|Cast)$/.test(node.op);
    if (!isReshape || !next || !keepsChannels(context, next, last)) break;
    chain.push(next);
    last = next;
  }
  return chain;
}

function keepsChannels(context: Context, before: Endpoint, after: Endpoint): boolean {
  const x = context.shapes.dims(before)?.at(-1);
  const y = context.shapes.dims(after)?.at(-1);
  return x === undefined || y === undefined || x === y;
}

/** The nearest endpoint that all chains share. */
export function nearestCommon(
  context: Context,
  first: readonly Endpoint[],
  ...others: readonly Endpoint[][]
): Endpoint | undefined {
  return first.find((item) => others.every((chain) => chain.some((other) => isSameTensor(context, item, other))));
}

/** The same output, or the same tensor turned in the same way: a context laid out [B, C, T] is turned for each who reads it. */
function isSameTensor(context: Context, a: Endpoint, b: Endpoint): boolean {
  if (sameEndpoint(a, b)) return true;
  const [x, y] = [context.producer(a), context.producer(b)];
  const [from, order] = x?.inputs ?? [];
  const [other, otherOrder] = y?.inputs ?? [];
  if (x?.op !== 'Transpose' || y?.op !== 'Transpose' || !from || !order || !other || !otherOrder) return false;
  const turns = context.shapes.values(order)?.join();
  return sameEndpoint(from, other) && turns !== undefined && turns === context.shapes.values(otherOrder)?.join();
}

/** The first output of a node. */
export function outputOf(node: GraphNode): Endpoint {
  return endpoint(node.name);
}
