import { type Endpoint, type GraphNode, readType } from '../../graph/index.ts';
import type { Context } from './context.ts';

/** A node that a value passes on its way through an attention without becoming another value. */
export interface Step {
  readonly node: GraphNode;
  /** The input by which the value enters. */
  readonly slot: number;
  readonly kind: 'same' | 'reshape' | 'transpose' | 'scale' | 'bias';
  /** Of a scale: the factor, undefined where its value is not known. */
  readonly factor?: number | undefined;
  /** Of a bias: what is added. */
  readonly bias?: Endpoint;
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
