import * as tf from '@tensorflow/tfjs-core';

/** [B, N, heads*d] to [B*heads, N, d]. */
export function splitHeads(merged: tf.Tensor3D, heads: number): tf.Tensor3D {
  const [batch, tokens, channels] = merged.shape;
  const apart = tf.reshape(merged, [batch, tokens, heads, channels / heads]);
  return tf.reshape(tf.transpose(apart, [0, 2, 1, 3]), [batch * heads, tokens, channels / heads]);
}

/** [B, N, heads*d] to [B*heads, d, N], in one transposition. */
export function splitHeadsTransposed(merged: tf.Tensor3D, heads: number): tf.Tensor3D {
  const [batch, tokens, channels] = merged.shape;
  const apart = tf.reshape(merged, [batch, tokens, heads, channels / heads]);
  return tf.reshape(tf.transpose(apart, [0, 2, 3, 1]), [batch * heads, channels / heads, tokens]);
}

/** The inverse of `splitHeads`, from any tensor that has its values in that order. */
export function mergeHeads(split: tf.Tensor, batch: number, heads: number, tokens: number): tf.Tensor3D {
  const apart = tf.reshape(split, [batch, heads, tokens, -1]);
  return tf.reshape(tf.transpose(apart, [0, 2, 1, 3]), [batch, tokens, -1]);
}

/** The ranges that cut `size` into pieces of `step`. */
export function ranges(size: number, step: number): { readonly start: number; readonly length: number }[] {
  return Array.from({ length: Math.ceil(size / step) }, (_, index) => {
    const start = index * step;
    return { start, length: Math.min(step, size - start) };
  });
}
