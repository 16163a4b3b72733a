import * as tf from '@tensorflow/tfjs-core';
import type { Picture, PictureSize, Values } from '../sampling/index.ts';
import { imagesOfPictures } from '../vae/index.ts';

/** A picture that a model is shown, and where it is from, for notes. */
export interface ShownPicture {
  readonly image: Picture;
  readonly place: string;
}

/**
 * A picture as an image of the size that a run has: scaled bilinearly where its own is another, which is told.
 * The backend must have been chosen.
 *
 * @returns [1, height, width, 3] in -1..1, over black where it is transparent
 */
export function sizedImage(
  { image, place }: ShownPicture,
  { width, height }: PictureSize,
  onNote: ((note: string) => void) | undefined,
): Values {
  const values = imagesOfPictures([image]);
  if (image.width === width && image.height === height) return values;
  onNote?.(`${place} is ${image.width}x${image.height}: scaled to ${width}x${height}`);
  const data = tf.tidy(() => {
    const own = tf.tensor4d(values.data, [1, image.height, image.width, 3]);
    return Float32Array.from(tf.image.resizeBilinear(own, [height, width]).dataSync());
  });
  return { shape: [1, height, width, 3], data };
}
