import { readInt, readShape } from '../attributes.ts';
import {
  type AbstractTensor,
  countOf,
  dimsAt,
  isSmallShape,
  ofRank,
  type ShapeCall,
  type ShapeRule,
  SMALL_VALUE,
  type Values,
} from './abstract.ts';

function shapeOf(dims: Values | undefined): AbstractTensor | undefined {
  return dims && { dims: [dims.length], values: dims };
}

function size(call: ShapeCall): AbstractTensor {
  const dims = dimsAt(call, 0);
  return { dims: [], values: [dims && countOf(dims)] };
}

function rank(call: ShapeCall): AbstractTensor {
  return { dims: [], values: [dimsAt(call, 0)?.length] };
}

/** A tensor of the shape that input `slot` holds, filled with what `value` knows. */
function filled(call: ShapeCall, slot: number, value: number | undefined): AbstractTensor | undefined {
  const shape = call.inputs[slot];
  const length = shape?.dims?.[0];
  const dims = shape?.values ?? (length === undefined ? undefined : ofRank(length));
  if (!dims) return undefined;
  const count = countOf(dims);
  const values =
    isSmallShape(dims) && value !== undefined ? Array.from({ length: count ?? 0 }, () => value) : undefined;
  return { dims, values };
}

function range(call: ShapeCall): AbstractTensor {
  const [start, limit, delta] = call.inputs.map((input) => input.values?.[0]);
  if (start === undefined || limit === undefined || !delta) return { dims: [undefined] };
  const count = Math.max(0, Math.ceil((limit - start) / delta));
  const values = Array.from({ length: Math.min(count, SMALL_VALUE) }, (_, index) => start + index * delta);
  return { dims: [count], values: count <= SMALL_VALUE ? values : undefined };
}

function oneHot(call: ShapeCall): AbstractTensor | undefined {
  const indices = dimsAt(call, 0);
  const depth = call.inputs[1]?.values?.[0];
  const axis = readInt(call.attributes, 'axis', -1);
  return indices && { dims: indices.toSpliced(axis < 0 ? indices.length : axis, 0, depth) };
}

function placeholder({ attributes, inputs }: ShapeCall): AbstractTensor | undefined {
  const declared = readShape(attributes, 'shape');
  // TF1 documents write "no dims" for "unknown shape"; a default's own shape tells more.
  if (!declared?.length && inputs[0]) return { dims: inputs[0].dims };
  return declared && { dims: declared.map((dim) => (dim < 0 ? undefined : dim)) };
}

/** Shape functions of ops that make tensors, and of shapes as values. */
export const CREATION: Readonly<Record<string, ShapeRule>> = {
  BroadcastTo: (call) => filled(call, 1, call.inputs[0]?.values?.length === 1 ? call.inputs[0].values[0] : undefined),
  Fill: (call) => filled(call, 0, call.inputs[1]?.values?.[0]),
  OneHot: oneHot,
  Ones: (call) => filled(call, 0, 1),
  Placeholder: placeholder,
  PlaceholderWithDefault: placeholder,
  RandomStandardNormal: (call) => filled(call, 0, undefined),
  RandomUniform: (call) => filled(call, 0, undefined),
  Range: range,
  Rank: rank,
  Shape: (call) => shapeOf(dimsAt(call, 0)),
  ShapeN: ({ inputs }) => inputs.map((input) => shapeOf(input.dims) ?? { dims: [undefined] }),
  Size: size,
  TruncatedNormal: (call) => filled(call, 0, undefined),
  Zeros: (call) => filled(call, 0, 0),
};
