import * as tf from '@tensorflow/tfjs-core';
import type { PictureSize, Values } from '../sampling/index.ts';

/** An image [1, H, W, C] scaled to a size, bilinear; itself where it has that size. The backend must have been chosen. */
export function resizedImage(image: Values, { width, height }: PictureSize): Values {
  const [, rows = 0, columns = 0, channels = 0] = image.shape;
  if (rows === height && columns === width) return image;
  const data = tf.tidy(() => {
    const values = tf.tensor4d(image.data, [1, rows, columns, channels]);
    return Float32Array.from(tf.image.resizeBilinear(values, [height, width]).dataSync());
  });
  return { shape: [1, height, width, channels], data };
}
