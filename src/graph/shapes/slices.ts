import { readInt } from '../attributes.ts';
import {
  type AbstractTensor,
  type Dims,
  dimsAt,
  fromStart,
  ofRank,
  type ShapeCall,
  type ShapeRule,
  type Values,
} from './abstract.ts';

function slice(call: ShapeCall): AbstractTensor | undefined {
  const [x, begin, size] = call.inputs;
  if (!x?.dims) return undefined;
  if (!size?.values) return { dims: ofRank(x.dims.length) };
  const starts = begin?.values ?? [];
  const dims = x.dims.map((total, axis) => {
    const wanted = size.values?.[axis];
    const start = starts[axis];
    if (wanted !== -1) return wanted;
    return total === undefined || start === undefined ? undefined : total - start;
  });
  const [start] = starts;
  const [length] = dims;
  const isVector = dims.length === 1 && start !== undefined && length !== undefined;
  return { dims, values: isVector ? x.values?.slice(start, start + length) : undefined };
}

/** The indices of an axis that a cut takes: `length` of them from `start` on, every `step`. */
export interface AxisRange {
  readonly start: number;
  readonly length: number;
  readonly step: number;
}

/** One entry of a StridedSlice: a range of an axis, an index that removes it, a new axis, or all that is left. */
type Entry = { kind: 'range' | 'index'; spec: number } | { kind: 'new' } | { kind: 'rest' };

function entriesOf(call: ShapeCall, count: number): Entry[] {
  const has = (mask: string, bit: number) => ((readInt(call.attributes, mask) >> bit) & 1) === 1;
  return Array.from({ length: count }, (_, spec): Entry => {
    if (has('ellipsis_mask', spec)) return { kind: 'rest' };
    if (has('new_axis_mask', spec)) return { kind: 'new' };
    return { kind: has('shrink_axis_mask', spec) ? 'index' : 'range', spec };
  });
}

/** What a StridedSlice takes of each axis of its input, in their order; undefined where that is not known. */
export function stridedRanges(call: ShapeCall): readonly (AxisRange | undefined)[] | undefined {
  const x = dimsAt(call, 0);
  const count = call.inputs[1]?.dims?.[0];
  if (!x || count === undefined) return undefined;
  const entries = entriesOf(call, count).filter(({ kind }) => kind !== 'new');
  const rest = entries.findIndex(({ kind }) => kind === 'rest');
  const left = x.length - entries.filter(({ kind }) => kind !== 'rest').length;
  const all: Entry[] = Array.from({ length: left }, () => ({ kind: 'rest' }));
  const byAxis = rest < 0 ? [...entries, ...all] : entries.toSpliced(rest, 1, ...all);
  return byAxis.map((entry, axis) => {
    const size = x[axis];
    if (entry.kind === 'rest' || entry.kind === 'new')
      return size === undefined ? undefined : { start: 0, length: size, step: 1 };
    if (entry.kind === 'range') return rangeOf(call, entry.spec, size);
    const index = call.inputs[1]?.values?.[entry.spec];
    return size === undefined || index === undefined
      ? undefined
      : { start: fromStart(index, size), length: 1, step: 1 };
  });
}

/** Start, stop and step of a range of an axis of `size`. Source: TensorFlow's ValidateStridedSliceOp. */
function rangeOf(call: ShapeCall, spec: number, size: number | undefined): AxisRange | undefined {
  const has = (mask: string) => ((readInt(call.attributes, mask) >> spec) & 1) === 1;
  const [begin, end, step] = [1, 2, 3].map((slot) => call.inputs[slot]?.values?.[spec]);
  if (size === undefined || step === undefined || step === 0) return undefined;
  const [low, high] = step > 0 ? [0, size] : [-1, size - 1];
  const clamp = (value: number) => Math.min(Math.max(fromStart(value, size), low), high);
  const start = has('begin_mask') ? (step > 0 ? low : high) : begin === undefined ? undefined : clamp(begin);
  const stop = has('end_mask') ? (step > 0 ? high : low) : end === undefined ? undefined : clamp(end);
  if (start === undefined || stop === undefined) return undefined;
  return { start, step, length: Math.max(0, Math.ceil((stop - start) / step)) };
}

function stridedSlice(call: ShapeCall): AbstractTensor | undefined {
  const x = dimsAt(call, 0);
  const count = call.inputs[1]?.dims?.[0];
  if (!x || count === undefined) return undefined;
  const entries = entriesOf(call, count);
  const used = entries.filter((entry) => entry.kind === 'range' || entry.kind === 'index').length;
  const dims: (number | undefined)[] = [];
  let axis = 0;
  for (const entry of entries) {
    if (entry.kind === 'new') dims.push(1);
    else if (entry.kind === 'rest') for (const stop = axis + x.length - used; axis < stop; axis++) dims.push(x[axis]);
    else {
      if (entry.kind === 'range') dims.push(rangeOf(call, entry.spec, x[axis])?.length);
      axis++;
    }
  }
  return { dims: [...dims, ...x.slice(axis)], values: vectorSlice(call, entries, x) };
}

/** Values of a slice of a vector: the commonest piece of shape arithmetic. */
function vectorSlice(call: ShapeCall, entries: readonly Entry[], x: Dims): Values | undefined {
  const [entry] = entries;
  const values = call.inputs[0]?.values;
  const size = x[0];
  if (!values || x.length !== 1 || size === undefined || entries.length !== 1 || !entry) return undefined;
  if (entry.kind === 'index') {
    const index = call.inputs[1]?.values?.[0];
    return index === undefined ? undefined : [values[fromStart(index, size)]];
  }
  const range = entry.kind === 'range' ? rangeOf(call, entry.spec, size) : undefined;
  return range && Array.from({ length: range.length }, (_, index) => values[range.start + index * range.step]);
}

function gather(call: ShapeCall): AbstractTensor | undefined {
  const [x, indices, axisInput] = call.inputs;
  if (!x?.dims || !indices?.dims) return undefined;
  // A vector has one axis, whatever the constant says.
  const axis = axisInput && x.dims.length !== 1 ? axisInput.values?.[0] : 0;
  const batch = readInt(call.attributes, 'batch_dims');
  if (axis === undefined) return { dims: ofRank(x.dims.length + indices.dims.length - 1 - batch) };
  const at = fromStart(axis, x.dims.length);
  const dims = [...x.dims.slice(0, at), ...indices.dims.slice(batch), ...x.dims.slice(at + 1)];
  const size = x.dims[0] ?? 0;
  const values =
    x.dims.length === 1
      ? indices.values?.map((index) => (index === undefined ? undefined : x.values?.[fromStart(index, size)]))
      : undefined;
  return { dims, values };
}

/** Shape functions of ops that take parts of a tensor. */
export const SLICES: Readonly<Record<string, ShapeRule>> = {
  Gather: gather,
  GatherV2: gather,
  Slice: slice,
  StridedSlice: stridedSlice,
};
