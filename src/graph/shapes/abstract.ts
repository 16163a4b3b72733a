import { type Attributes, readString } from '../attributes.ts';
import type { GraphNode } from '../document.ts';

/** Sizes of a tensor by dimension; undefined where a size is not known. */
export type Dims = readonly (number | undefined)[];

/** Values of a small tensor, row-major; undefined where one is not known. */
export type Values = readonly (number | undefined)[];

/** What is known of one output of a node before it runs. */
export interface AbstractTensor {
  /** Undefined where not even the rank is known. */
  readonly dims: Dims | undefined;
  readonly values?: Values | undefined;
  /** Why something is not known, naming the node that it starts from. */
  readonly reason?: string | undefined;
}

/** A node as a shape function sees it: what it is, and what is known of its data inputs. */
export interface ShapeCall {
  readonly node: GraphNode;
  readonly attributes: Attributes;
  readonly inputs: readonly AbstractTensor[];
}

/** A shape function: what is known of the outputs; undefined where its inputs do not tell. */
export type ShapeRule = (call: ShapeCall) => AbstractTensor | readonly AbstractTensor[] | undefined;

/** Tensors of at most this many elements have their values followed. */
export const SMALL_VALUE = 64;

export const NOTHING: AbstractTensor = { dims: undefined };

/** The dims of input `slot`; undefined where it is missing or its rank is not known. */
export function dimsAt(call: ShapeCall, slot: number): Dims | undefined {
  return call.inputs[slot]?.dims;
}

/** All values of input `slot`, or undefined where one of them is not known. */
export function numbersAt(call: ShapeCall, slot: number): readonly number[] | undefined {
  const values = call.inputs[slot]?.values;
  return values && isConcrete(values) ? values : undefined;
}

/** Whether every entry is known. */
export function isConcrete(list: Dims): list is readonly number[] {
  return list.every((item) => item !== undefined);
}

/** Number of elements, undefined where a size is not known. */
export function countOf(dims: Dims): number | undefined {
  return isConcrete(dims) ? dims.reduce<number>((product, size) => product * size, 1) : undefined;
}

/** Whether a tensor of these dims is small enough for its values to be followed. */
export function isSmallShape(dims: Dims): boolean {
  const count = countOf(dims);
  return count !== undefined && count <= SMALL_VALUE;
}

/** Dims of a known rank and nothing else. */
export function ofRank(rank: number): Dims {
  return Array.from({ length: rank }, () => undefined);
}

/** A dimension counted from the end as one from the start. */
export function fromStart(axis: number, rank: number): number {
  return axis < 0 ? axis + rank : axis;
}

/** A copy with the entry at `axis` replaced. */
export function withDim(dims: Dims, axis: number, size: number | undefined): Dims {
  return dims.map((item, index) => (index === axis ? size : item));
}

/** Where an image tensor holds rows, columns and channels. TF.js computes NHWC only; other documents may say NCHW. */
export function imageAxes(attributes: Attributes): { rows: number; columns: number; channels: number } {
  const channelsFirst = readString(attributes, 'data_format').toUpperCase() === 'NCHW';
  return channelsFirst ? { rows: 2, columns: 3, channels: 1 } : { rows: 1, columns: 2, channels: 3 };
}
