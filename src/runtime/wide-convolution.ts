import * as tf from '@tensorflow/tfjs-core';

/** Most bytes of patches at once: they stay small beside the weights, and bands of this size are as fast as the whole. */
const BAND_BYTES = 64 * 1024 * 1024;
const TAPS = [0, 1, 2] as const;

/**
 * A 3x3 convolution with stride 1 and SAME padding as one matrix product over patches, in bands of rows.
 *
 * TensorFlow's own convolution reads all weights again for every row of pixels. With 640 outputs and more they do not fit
 * the cache, and this takes half the time: 1,280 to 1,280 channels at 16 x 16 pixels 85 ms of CPU in the place of 189,
 * 640 to 640 at 32 x 32 76 and 132. With 320 outputs it takes a third more.
 *
 * @param x [B, h, w, inputs]
 * @param kernel [3, 3, inputs, outputs]
 * @param bias [outputs]
 * @returns [B, h, w, outputs]
 */
export function convolveByPatches(
  x: tf.Tensor4D,
  kernel: tf.Tensor4D,
  bias: tf.Tensor | undefined,
  bandBytes = BAND_BYTES,
): tf.Tensor4D {
  const [batch, height, width, inputs] = x.shape;
  const [, , , outputs] = kernel.shape;
  return tf.tidy(() => {
    const matrix: tf.Tensor2D = tf.reshape(kernel, [9 * inputs, outputs]);
    const padded = tf.pad4d(x, [
      [0, 0],
      [1, 1],
      [1, 1],
      [0, 0],
    ]);
    const rowBytes = 4 * batch * width * 9 * inputs;
    const most = Math.max(1, Math.floor(bandBytes / rowBytes));
    const bands: tf.Tensor4D[] = [];
    for (let row = 0; row < height; row += most) {
      const rows = Math.min(most, height - row);
      bands.push(tf.tidy(() => tf.reshape(band(padded, row, rows, matrix), [batch, rows, width, outputs])));
    }
    const [first, second] = bands;
    const joined = first && !second ? first : tf.concat4d(bands, 1);
    return bias ? tf.add(joined, tf.reshape(bias, [-1])) : joined;
  });
}

/** The result's rows `row` to `row + rows`, as [B * rows * w, outputs]. */
function band(padded: tf.Tensor4D, row: number, rows: number, matrix: tf.Tensor2D): tf.Tensor2D {
  const [batch, , paddedWidth, inputs] = padded.shape;
  const size: [number, number, number, number] = [batch, rows, paddedWidth - 2, inputs];
  const taps = TAPS.flatMap((down) => TAPS.map((right) => tf.slice4d(padded, [0, row + down, right, 0], size)));
  const patches: tf.Tensor2D = tf.reshape(tf.concat4d(taps, 3), [-1, 9 * inputs]);
  return tf.matMul(patches, matrix);
}
