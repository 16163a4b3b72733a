import { readType } from '../attributes.ts';
import {
  type AbstractTensor,
  type Dims,
  isSmallShape,
  type ShapeCall,
  type ShapeRule,
  type Values,
} from './abstract.ts';

type Unary = (x: number) => number;
type Binary = (x: number, y: number) => number;

const same: Unary = (x) => x;

/** Ops of one tensor whose values may matter for a shape or a scale. */
const UNARY: Readonly<Record<string, Unary>> = {
  Abs: Math.abs,
  Ceil: Math.ceil,
  Exp: Math.exp,
  Floor: Math.floor,
  Identity: same,
  Log: Math.log,
  LogicalNot: (x) => Number(!x),
  Neg: (x) => -x,
  OnesLike: () => 1,
  Reciprocal: (x) => 1 / x,
  Round: Math.round,
  Rsqrt: (x) => 1 / Math.sqrt(x),
  Sign: Math.sign,
  Snapshot: same,
  Sqrt: Math.sqrt,
  Square: (x) => x * x,
  StopGradient: same,
  ZerosLike: () => 0,
};

/** Ops whose result has the shape of their first input. */
const LIKE_FIRST =
  'Acos Acosh Asin Asinh Atan Atanh BiasAdd CheckNumerics ClipByValue Cos Cosh Cumprod Cumsum Elu Erf Expm1 IsFinite IsInf IsNan LeakyRelu Log1p LogSoftmax Prelu Print Relu Relu6 Reverse ReverseV2 Selu Sigmoid Sin Sinh Softmax Softplus Tan Tanh'.split(
    ' ',
  );

const BINARY: Readonly<Record<string, Binary>> = {
  Add: (x, y) => x + y,
  AddV2: (x, y) => x + y,
  Atan2: Math.atan2,
  Div: (x, y) => x / y,
  DivNoNan: (x, y) => (y === 0 ? 0 : x / y),
  Equal: (x, y) => Number(x === y),
  FloorDiv: (x, y) => Math.floor(x / y),
  FloorMod: (x, y) => ((x % y) + y) % y,
  Greater: (x, y) => Number(x > y),
  GreaterEqual: (x, y) => Number(x >= y),
  Less: (x, y) => Number(x < y),
  LessEqual: (x, y) => Number(x <= y),
  LogicalAnd: (x, y) => Number(x && y),
  LogicalOr: (x, y) => Number(x || y),
  Maximum: Math.max,
  Minimum: Math.min,
  Mod: (x, y) => x % y,
  Mul: (x, y) => x * y,
  NotEqual: (x, y) => Number(x !== y),
  Pow: (x, y) => x ** y,
  RealDiv: (x, y) => x / y,
  SquaredDifference: (x, y) => (x - y) ** 2,
  Sub: (x, y) => x - y,
  TruncateDiv: (x, y) => Math.trunc(x / y),
};

/** The dims that tensors have when broadcast together; undefined where they do not fit or a rank is unknown. */
export function broadcast(...shapes: readonly (Dims | undefined)[]): Dims | undefined {
  let result: Dims = [];
  for (const dims of shapes) {
    const joined = dims && broadcastPair(result, dims);
    if (!joined) return undefined;
    result = joined;
  }
  return result;
}

function broadcastPair(a: Dims, b: Dims): Dims | undefined {
  const rank = Math.max(a.length, b.length);
  const sizes: (number | undefined)[] = [];
  for (let axis = 0; axis < rank; axis++) {
    const x = sizeAt(a, axis - rank + a.length);
    const y = sizeAt(b, axis - rank + b.length);
    if (x === undefined || y === undefined) sizes.push([x, y].find((size) => size !== undefined && size !== 1));
    else if (x === y || y === 1) sizes.push(x);
    else if (x === 1) sizes.push(y);
    else return undefined;
  }
  return sizes;
}

function sizeAt(dims: Dims, axis: number): number | undefined {
  return axis < 0 ? 1 : dims[axis];
}

/** Applies a function to values broadcast to `dims`; undefined where the result is not small or nothing is known. */
function broadcastValues(
  inputs: readonly AbstractTensor[],
  dims: Dims,
  combine: (items: Values) => number | undefined,
) {
  if (!isSmallShape(dims) || inputs.some((input) => !input.values)) return undefined;
  const count = dims.reduce<number>((product, size) => product * (size ?? 1), 1);
  return Array.from({ length: count }, (_, index) =>
    combine(inputs.map((input) => input.values?.[sourceIndex(index, dims, input.dims ?? [])])),
  );
}

/** The index in a tensor of `from` that feeds element `index` of the broadcast tensor. */
function sourceIndex(index: number, dims: Dims, from: Dims): number {
  let rest = index;
  let stride = 1;
  let source = 0;
  for (let back = 1; back <= dims.length; back++) {
    const size = dims[dims.length - back] ?? 1;
    const own = from.length >= back ? (from[from.length - back] ?? 1) : 1;
    if (own > 1) source += (rest % size) * stride;
    stride *= own;
    rest = Math.floor(rest / size);
  }
  return source;
}

function unary(apply: Unary): ShapeRule {
  return ({ inputs: [x] }) =>
    x && { ...x, values: x.values?.map((value) => (value === undefined ? undefined : apply(value))) };
}

function binary(apply: Binary): ShapeRule {
  return (call) => {
    const dims = broadcast(call.inputs[0]?.dims, call.inputs[1]?.dims);
    const combine = ([x, y]: Values) => (x === undefined || y === undefined ? undefined : apply(x, y));
    return dims && { dims, values: broadcastValues(call.inputs.slice(0, 2), dims, combine) };
  };
}

function cast({ attributes, inputs: [x] }: ShapeCall): AbstractTensor | undefined {
  const toInt = readType(attributes, 'DstT') === 'int32';
  return x && { ...x, values: x.values?.map((value) => (toInt && value !== undefined ? Math.trunc(value) : value)) };
}

function select(call: ShapeCall): AbstractTensor | undefined {
  const dims = broadcast(...call.inputs.slice(0, 3).map((input) => input.dims));
  const combine = ([condition, x, y]: Values) => (condition === undefined ? undefined : condition ? x : y);
  return dims && { dims, values: broadcastValues(call.inputs.slice(0, 3), dims, combine) };
}

/** Shape functions of everything that works element by element. */
export const ELEMENTWISE: Readonly<Record<string, ShapeRule>> = {
  ...Object.fromEntries(Object.entries(UNARY).map(([op, apply]) => [op, unary(apply)])),
  ...Object.fromEntries(LIKE_FIRST.map((op) => [op, ({ inputs: [x] }: ShapeCall) => x && { dims: x.dims }])),
  ...Object.fromEntries(Object.entries(BINARY).map(([op, apply]) => [op, binary(apply)])),
  AddN: ({ inputs }) => inputs[0] && { dims: broadcast(...inputs.map((input) => input.dims)) },
  Cast: cast,
  IdentityN: ({ inputs }) => inputs,
  Select: select,
  SelectV2: select,
};
