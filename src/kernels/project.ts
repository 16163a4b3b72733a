import * as tf from '@tensorflow/tfjs-core';
import { SlothfulError } from '../errors.ts';
import { product } from './token-forms.ts';

/** A projection as a graph holds it. */
export interface ProjectionTensors {
  /** [C, inner], [1, 1, C, inner] or [C, heads, headDim]; with `transposed` [inner, C]. */
  readonly weight: tf.Tensor;
  /** `inner` values in any shape. */
  readonly bias: tf.Tensor | undefined;
  readonly transposed: boolean;
}

/**
 * Projects tokens: [B, N, C] to [B, N, inner]. One 2-D product over all tokens: on wasm any other product is a naive
 * loop, and its fused bias is wrong for batches.
 *
 * @throws SlothfulError `bad-model` where the weight does not take C channels
 */
export function project(tokens: tf.Tensor3D, { weight, bias, transposed }: ProjectionTensors): tf.Tensor3D {
  const [batch, count, channels] = tokens.shape;
  return tf.tidy(() => {
    const rows: tf.Tensor2D = tf.reshape(tokens, [batch * count, channels]);
    const projected = multiply(rows, matrixOf(weight, channels, transposed), transposed);
    const biased = bias ? tf.add(projected, tf.reshape(bias, [-1])) : projected;
    return tf.reshape(biased, [batch, count, -1]);
  });
}

/** XNNPACK takes no transposed operand, so wasm transposes first. */
function multiply(rows: tf.Tensor2D, matrix: tf.Tensor2D, transposed: boolean): tf.Tensor2D {
  if (!transposed || tf.getBackend() !== 'wasm') return tf.matMul(rows, matrix, false, transposed);
  const upright: tf.Tensor2D = tf.transpose(matrix);
  return tf.matMul(rows, upright);
}

/** The weight as a matrix: reshapes share its data, so that wasm's packed copy of it is made once. */
function matrixOf(weight: tf.Tensor, channels: number, transposed: boolean): tf.Tensor2D {
  const pointwise = weight.rank === 4 && weight.shape[0] === 1 && weight.shape[1] === 1;
  const shape = pointwise ? weight.shape.slice(2) : weight.shape;
  const [first = 0, ...rest] = shape;
  const taken = transposed ? shape.at(-1) : first;
  const known = shape.length === 2 || (shape.length === 3 && !transposed);
  if (!known || taken !== channels) {
    const problem = `a ${transposed ? 'transposed ' : ''}weight [${weight.shape}] does not project ${channels} channels`;
    throw new SlothfulError('bad-model', 'projection', problem);
  }
  return tf.reshape(weight, [first, product(rest)]);
}
