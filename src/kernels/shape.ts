import type * as tf from '@tensorflow/tfjs-core';

/** A shape as tfjs-layers writes it: null where a dimension is not known. */
export type Shape = (number | null)[];

export function isRank3(tensor: tf.Tensor): tensor is tf.Tensor3D {
  return tensor.rank === 3;
}

export function product(dimensions: readonly number[]): number {
  return dimensions.reduce((all, dimension) => all * dimension, 1);
}
