import { readBool } from '../attributes.ts';
import {
  type AbstractTensor,
  countOf,
  fromStart,
  isConcrete,
  numbersAt,
  ofRank,
  type ShapeCall,
  type ShapeRule,
} from './abstract.ts';

type Combine = (values: readonly number[]) => number;

const VALUES: Readonly<Record<string, Combine>> = {
  All: (values) => Number(values.every(Boolean)),
  Any: (values) => Number(values.some(Boolean)),
  Max: (values) => Math.max(...values),
  Mean: (values) => values.reduce((sum, value) => sum + value, 0) / values.length,
  Min: (values) => Math.min(...values),
  Prod: (values) => values.reduce((product, value) => product * value, 1),
  Sum: (values) => values.reduce((sum, value) => sum + value, 0),
};

function reduce(combine?: Combine): ShapeRule {
  return (call) => {
    const [x, axesInput] = call.inputs;
    if (!x?.dims) return undefined;
    const rank = x.dims.length;
    const keep = readBool(call.attributes, 'keep_dims') || readBool(call.attributes, 'keepdims');
    const isVector = rank === 1 && axesInput?.dims !== undefined && (countOf(axesInput.dims) ?? 0) > 0;
    const axes = isVector ? [0] : numbersAt(call, 1);
    if (!axes) return unknownAxes(rank, keep, axesInput);
    const reduced = new Set(axes.map((axis) => fromStart(axis, rank)));
    const dims = keep
      ? x.dims.map((size, axis) => (reduced.has(axis) ? 1 : size))
      : x.dims.filter((_, axis) => !reduced.has(axis));
    const whole = reduced.size === rank && combine && x.values && isConcrete(x.values);
    return { dims, values: whole ? [combine(x.values)] : undefined };
  };
}

function unknownAxes(rank: number, keep: boolean, axes: AbstractTensor | undefined): AbstractTensor | undefined {
  if (keep) return { dims: ofRank(rank) };
  const count = axes?.dims?.length === 0 ? 1 : axes?.dims?.[0];
  return count === undefined ? undefined : { dims: ofRank(rank - count) };
}

function argument({ inputs: [x, axisInput] }: ShapeCall): AbstractTensor | undefined {
  const axis = axisInput?.values?.[0];
  if (!x?.dims) return undefined;
  return {
    dims: axis === undefined ? ofRank(x.dims.length - 1) : x.dims.toSpliced(fromStart(axis, x.dims.length), 1),
  };
}

/** Shape functions of reductions. */
export const REDUCTIONS: Readonly<Record<string, ShapeRule>> = {
  ...Object.fromEntries(Object.entries(VALUES).map(([op, combine]) => [op, reduce(combine)])),
  ArgMax: argument,
  ArgMin: argument,
  EuclideanNorm: reduce(),
};
