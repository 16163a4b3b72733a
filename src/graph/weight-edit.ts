import { SlothfulError } from '../errors.ts';
import type { ConstantValue } from './constant.ts';
import { sizeOf, type WeightSpec } from './weights.ts';

/** A change of a stored weight that a document asks for and its shards do not have. */
export interface WeightEdit {
  /** The axes in their new order: axis `i` of the weight is axis `transpose[i]` of the stored one. */
  readonly transpose: readonly number[];
}

/** @throws SlothfulError `bad-graph` where the order does not name every axis of the shape once */
export function checkEdit(spec: WeightSpec, { transpose }: WeightEdit): void {
  const axes = [...transpose].sort((a, b) => a - b);
  if (axes.length === spec.shape.length && axes.every((axis, index) => axis === index)) return;
  const problem = `has the shape [${spec.shape}], which [${transpose}] is not an order of axes for`;
  throw new SlothfulError('bad-graph', `weight "${spec.name}"`, problem);
}

/** One edit that does what two do, one after the other; undefined where they undo each other. */
export function composeEdits(first: WeightEdit | undefined, second: WeightEdit): WeightEdit | undefined {
  const transpose = first ? second.transpose.map((axis) => first.transpose[axis] ?? axis) : second.transpose;
  return transpose.every((axis, index) => axis === index) ? undefined : { transpose };
}

/** A shape after an edit. */
export function editShape(shape: readonly number[], { transpose }: WeightEdit): number[] {
  return transpose.map((axis) => shape[axis] ?? 1);
}

/** The values of a small constant after an edit. */
export function editConstant(constant: ConstantValue, edit: WeightEdit): ConstantValue {
  const shape = editShape(constant.shape, edit);
  const strides = constant.shape.map((_, axis) => sizeOf(constant.shape.slice(axis + 1)));
  const from = Array.from({ length: sizeOf(shape) }, (_, index) =>
    shape.reduce((offset, size, axis) => {
      const digit = Math.floor(index / sizeOf(shape.slice(axis + 1))) % size;
      return offset + digit * (strides[edit.transpose[axis] ?? axis] ?? 1);
    }, 0),
  );
  return { dtype: constant.dtype, shape, values: from.map((offset) => constant.values[offset] ?? 0) };
}
