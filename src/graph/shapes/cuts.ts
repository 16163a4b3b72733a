import { readInt } from '../attributes.ts';
import {
  type AbstractTensor,
  countOf,
  type Dims,
  dimsAt,
  fromStart,
  isConcrete,
  numbersAt,
  type ShapeCall,
} from './abstract.ts';
import { axisOfSplit } from './layout.ts';
import { type AxisRange, stridedRanges } from './slices.ts';

/** What an output of a node takes of each axis of the tensor that it cuts. Axes that it removes have one index. */
export type CutRanges = readonly (AxisRange | undefined)[];

type CutRule = (call: ShapeCall, output: number) => CutRanges | undefined;

/** Of each op that cuts a tensor: the input that it cuts, and what an output takes of it. */
const CUTS: Readonly<Record<string, { readonly slot: number; readonly ranges: CutRule }>> = {
  Gather: { slot: 0, ranges: gathered },
  GatherV2: { slot: 0, ranges: gathered },
  Slice: { slot: 0, ranges: sliced },
  Split: { slot: 1, ranges: split },
  SplitV: { slot: 0, ranges: splitV },
  StridedSlice: { slot: 0, ranges: stridedRanges },
  Unpack: { slot: 0, ranges: unpacked },
};

/** The input of which an op takes a part; undefined for ops that do something else. */
export function slotOfCut(op: string): number | undefined {
  return Object.hasOwn(CUTS, op) ? CUTS[op]?.slot : undefined;
}

/**
 * What output number `output` of a Split, Slice, StridedSlice, Gather of neighbours or Unpack takes of each axis.
 *
 * @returns undefined where the values of its constants are not known, or it takes what is not a range of each axis
 */
export function cutRanges(call: ShapeCall, output: number): CutRanges | undefined {
  return Object.hasOwn(CUTS, call.node.op) ? CUTS[call.node.op]?.ranges(call, output) : undefined;
}

/** All of every axis but of one. */
function along(dims: Dims, axis: number, range: AxisRange): CutRanges | undefined {
  const at = fromStart(axis, dims.length);
  if (at < 0 || at >= dims.length) return undefined;
  return dims.map((size, index) => {
    if (index === at) return range;
    return size === undefined ? undefined : { start: 0, length: size, step: 1 };
  });
}

function split(call: ShapeCall, output: number): CutRanges | undefined {
  const dims = dimsAt(call, 1);
  const axis = axisOfSplit(call);
  const size = axis === undefined || !dims ? undefined : dims[fromStart(axis, dims.length)];
  if (axis === undefined || !dims || size === undefined) return undefined;
  const length = size / readInt(call.attributes, 'num_split', 1);
  return along(dims, axis, { start: output * length, length, step: 1 });
}

function splitV(call: ShapeCall, output: number): CutRanges | undefined {
  const dims = dimsAt(call, 0);
  const sizes = numbersAt(call, 1);
  const [axis] = numbersAt(call, 2) ?? [];
  if (!dims || !sizes || axis === undefined) return undefined;
  const total = dims[fromStart(axis, dims.length)];
  const known = sizes.filter((size) => size >= 0).reduce((sum, size) => sum + size, 0);
  if (total === undefined) return undefined;
  const solved = sizes.map((size) => (size < 0 ? total - known : size));
  const length = solved[output];
  if (length === undefined) return undefined;
  const start = solved.slice(0, output).reduce((sum, size) => sum + size, 0);
  return along(dims, axis, { start, length, step: 1 });
}

function sliced(call: ShapeCall): CutRanges | undefined {
  const dims = dimsAt(call, 0);
  const begin = numbersAt(call, 1);
  const size = numbersAt(call, 2);
  if (!dims || !begin || !size) return undefined;
  return dims.map((total, axis) => {
    const start = begin[axis];
    const wanted = size[axis];
    if (start === undefined || wanted === undefined || (wanted === -1 && total === undefined)) return undefined;
    return { start, length: wanted === -1 ? (total ?? 0) - start : wanted, step: 1 };
  });
}

/** Of a Gather one index, or neighbours in their order. */
function gathered(call: ShapeCall): CutRanges | undefined {
  const dims = dimsAt(call, 0);
  const indices: AbstractTensor | undefined = call.inputs[1];
  const axis = call.inputs[2] && dims?.length !== 1 ? numbersAt(call, 2)?.[0] : 0;
  if (!dims || !indices?.values || !isConcrete(indices.values) || axis === undefined) return undefined;
  const size = dims[fromStart(axis, dims.length)];
  if (readInt(call.attributes, 'batch_dims') !== 0 || countOf(indices.dims ?? []) === undefined || size === undefined) {
    return undefined;
  }
  const taken = indices.values.map((index) => fromStart(index, size));
  const [start, second] = taken;
  const step = second === undefined || start === undefined ? 1 : second - start;
  if (start === undefined || taken.some((index, at) => index !== start + at * step)) return undefined;
  return along(dims, axis, { start, length: taken.length, step });
}

function unpacked(call: ShapeCall, output: number): CutRanges | undefined {
  const dims = dimsAt(call, 0);
  return dims && along(dims, readInt(call.attributes, 'axis'), { start: output, length: 1, step: 1 });
}
