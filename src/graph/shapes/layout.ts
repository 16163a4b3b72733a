import { readInt, readInts } from '../attributes.ts';
import {
  type AbstractTensor,
  countOf,
  type Dims,
  dimsAt,
  fromStart,
  isConcrete,
  numbersAt,
  ofRank,
  type ShapeCall,
  type ShapeRule,
  type Values,
  withDim,
} from './abstract.ts';

/** Target of a Reshape against the number of elements: -1 and, where only one is unknown, unknown sizes are solved. */
function solveTarget(target: Values, count: number | undefined): Dims {
  const open = target.filter((size) => size === undefined || size === -1).length;
  const rest = target.reduce<number>(
    (product, size) => (size === undefined || size === -1 ? product : product * size),
    1,
  );
  const solved = open === 1 && count !== undefined && rest > 0 ? count / rest : undefined;
  return target.map((size) => (size === undefined || size === -1 ? solved : size));
}

function reshape(call: ShapeCall): AbstractTensor | undefined {
  const [x, shape] = call.inputs;
  if (!x || !shape) return undefined;
  const target = shape.values ?? (shape.dims?.length === 1 ? ofRank(shape.dims[0] ?? 0) : undefined);
  if (!target || (!shape.values && shape.dims?.[0] === undefined)) return undefined;
  const count = x.dims && countOf(x.dims);
  const dims = solveTarget(target, count);
  const made = countOf(dims);
  if (count !== undefined && made !== undefined && made !== count) {
    return { dims: undefined, reason: `cannot reshape ${count} elements [${x.dims}] to [${target}]` };
  }
  return { dims, values: x.values };
}

function transpose(call: ShapeCall): AbstractTensor | undefined {
  const x = dimsAt(call, 0);
  const order = numbersAt(call, 1);
  if (!x) return undefined;
  return { dims: order ? order.map((axis) => x[fromStart(axis, x.length)]) : ofRank(x.length) };
}

function expandDims(call: ShapeCall): AbstractTensor | undefined {
  const [x] = call.inputs;
  const [axis] = numbersAt(call, 1) ?? [];
  if (!x?.dims) return undefined;
  if (axis === undefined) return { dims: ofRank(x.dims.length + 1), values: x.values };
  return { dims: x.dims.toSpliced(fromStart(axis, x.dims.length + 1), 0, 1), values: x.values };
}

function squeeze(call: ShapeCall): AbstractTensor | undefined {
  const [x] = call.inputs;
  if (!x?.dims) return undefined;
  const { dims, values } = x;
  const listed = readInts(call.attributes, 'squeeze_dims').concat(readInts(call.attributes, 'axis'));
  const axes = new Set(listed.map((axis) => fromStart(axis, dims.length)));
  if (!axes.size && !isConcrete(dims)) return undefined;
  return { dims: dims.filter((size, axis) => (axes.size ? !axes.has(axis) : size !== 1)), values };
}

function concat(inputs: readonly AbstractTensor[], axis: number | undefined): AbstractTensor | undefined {
  const first = inputs[0]?.dims;
  if (!first) return undefined;
  if (axis === undefined && first.length !== 1) return { dims: ofRank(first.length) };
  const at = first.length === 1 ? 0 : fromStart(axis ?? 0, first.length);
  const sizes: Dims = inputs.map((input) => input.dims?.[at]);
  const sum = isConcrete(sizes) ? sizes.reduce((total, size) => total + size, 0) : undefined;
  const dims = first.map((_, index) => inputs.map((input) => input.dims?.[index]).find((size) => size !== undefined));
  return { dims: withDim(dims, at, sum), values: first.length === 1 ? joinValues(inputs) : undefined };
}

/** Values of vectors put one after the other; what is not known of one leaves holes, not the whole unknown. */
function joinValues(inputs: readonly AbstractTensor[]): Values | undefined {
  const parts = inputs.map(({ values, dims }) => {
    const size = dims?.[0];
    return values ?? (size !== undefined && size <= 8 ? ofRank(size) : undefined);
  });
  return parts.every((part) => part !== undefined) ? parts.flat() : undefined;
}

function pack({ inputs, attributes }: ShapeCall): AbstractTensor | undefined {
  const dims = inputs.find((input) => input.dims)?.dims;
  if (!dims) return undefined;
  const axis = fromStart(readInt(attributes, 'axis'), dims.length + 1);
  const scalars = dims.length === 0;
  return {
    dims: dims.toSpliced(axis, 0, inputs.length),
    values: scalars ? inputs.map((input) => input.values?.[0]) : undefined,
  };
}

function unpack(call: ShapeCall): readonly AbstractTensor[] | undefined {
  const [x] = call.inputs;
  if (!x?.dims) return undefined;
  const axis = fromStart(readInt(call.attributes, 'axis'), x.dims.length);
  const dims = x.dims.toSpliced(axis, 1);
  const count = readInt(call.attributes, 'num', x.dims[axis] ?? 0);
  return Array.from({ length: count }, (_, index) =>
    x.values && dims.length === 0 ? { dims, values: [x.values[index]] } : { dims },
  );
}

/** The axis of a Split; where it is not known, the only one that can be divided evenly. */
export function axisOfSplit(call: ShapeCall): number | undefined {
  const [axis] = numbersAt(call, 0) ?? [];
  const dims = dimsAt(call, 1);
  if (axis !== undefined || !dims || !isConcrete(dims)) return axis;
  const count = readInt(call.attributes, 'num_split', 1);
  const [only, ...others] = dims.flatMap((size, at) => (size % count === 0 ? [at] : []));
  return others.length ? undefined : only;
}

function split(call: ShapeCall): readonly AbstractTensor[] | undefined {
  const axis = axisOfSplit(call);
  const x = dimsAt(call, 1);
  const count = readInt(call.attributes, 'num_split', 1);
  if (!x) return undefined;
  const at = axis === undefined ? -1 : fromStart(axis, x.length);
  const size = x[at];
  const dims = at < 0 ? ofRank(x.length) : withDim(x, at, size === undefined ? undefined : size / count);
  return Array.from({ length: count }, () => ({ dims }));
}

function splitV(call: ShapeCall): readonly AbstractTensor[] | undefined {
  const x = dimsAt(call, 0);
  const sizes = call.inputs[1]?.values ?? ofRank(readInt(call.attributes, 'num_split'));
  const [axis] = numbersAt(call, 2) ?? [];
  if (!x) return undefined;
  if (axis === undefined) return sizes.map(() => ({ dims: ofRank(x.length) }));
  const at = fromStart(axis, x.length);
  const total = x[at];
  const rest = sizes.reduce<number>((sum, size) => sum - (size === undefined || size < 0 ? 0 : size), total ?? NaN);
  const solved = (size: number | undefined) => (size === -1 ? (Number.isNaN(rest) ? undefined : rest) : size);
  return sizes.map((size) => ({ dims: withDim(x, at, solved(size)) }));
}

function tile(call: ShapeCall): AbstractTensor | undefined {
  const x = dimsAt(call, 0);
  const times = call.inputs[1]?.values;
  return (
    x && {
      dims: x.map((size, axis) => {
        const factor = times?.[axis];
        return size === undefined || factor === undefined ? undefined : size * factor;
      }),
    }
  );
}

/** Shape functions of ops that only move values around. */
export const LAYOUT: Readonly<Record<string, ShapeRule>> = {
  Concat: ({ inputs: [axis, ...rest] }) => concat(rest, axis?.values?.[0]),
  ConcatV2: ({ inputs }) => concat(inputs.slice(0, -1), inputs.at(-1)?.values?.[0]),
  EnsureShape: ({ inputs }) => inputs[0],
  ExpandDims: expandDims,
  Pack: pack,
  Reshape: reshape,
  Split: split,
  SplitV: splitV,
  Squeeze: squeeze,
  Tile: tile,
  Transpose: transpose,
  Unpack: unpack,
};
