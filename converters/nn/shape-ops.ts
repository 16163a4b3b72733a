import { attr, type Endpoint } from '../../src/graph/index.ts';
import type { GraphBuilder } from './graph-builder.ts';

const INT32 = attr.type('int32');

/** Sizes of a tensor, an int32 vector. */
export function shapeOf(builder: GraphBuilder, name: string, x: Endpoint): Endpoint {
  return builder.op(name, 'Shape', [x], { out_type: INT32 });
}

/** Elements `from` to `to` of an int32 vector. */
export function slice(builder: GraphBuilder, name: string, vector: Endpoint, from: number, to: number): Endpoint {
  return builder.op(name, 'StridedSlice', [vector, builder.ints([from]), builder.ints([to]), builder.ints([1])], {
    T: INT32,
    Index: INT32,
    begin_mask: attr.int(0),
    end_mask: attr.int(0),
    ellipsis_mask: attr.int(0),
    new_axis_mask: attr.int(0),
    shrink_axis_mask: attr.int(0),
  });
}

/** Tensors one after the other along an axis. */
export function concat(builder: GraphBuilder, name: string, parts: readonly Endpoint[], axis: number): Endpoint {
  return builder.op(name, 'ConcatV2', [...parts, builder.ints([axis], [])], { N: attr.int(parts.length) });
}

/** A shape whose first size is only known when the graph runs: [first, ...rest] as an int32 vector. */
export function shapeFrom(builder: GraphBuilder, name: string, first: Endpoint, rest: readonly number[]): Endpoint {
  return builder.op(name, 'ConcatV2', [first, builder.ints(rest), builder.ints([0], [])], { N: attr.int(2), T: INT32 });
}
