import { type DocumentOf, named, nullable, number, object } from '../../documents/index.ts';
import { gradientSimilarity } from './gradients.ts';
import { highFrequencyRatio } from './high-frequency.ts';
import type { Plane } from './plane.ts';
import { psnr } from './psnr.ts';
import { ssim } from './ssim.ts';

export { gradientSimilarity } from './gradients.ts';
export { highFrequencyRatio } from './high-frequency.ts';
export { latentImage, type Plane, pictureImage } from './plane.ts';
export { psnr } from './psnr.ts';
export { ssim } from './ssim.ts';

/** How one image compares with another. */
export const MEASURES = named(
  'measures',
  object({
    psnr: nullable(number(), { description: 'dB; null for images that are the same' }),
    ssim: number({ minimum: -1, maximum: 1 }),
    high_frequency_ratio: nullable(number({ minimum: 0 }), {
      description: 'below 1: smoother; above 1: rougher; null where the reference has no detail at all',
    }),
    gradient_similarity: number({ minimum: 0, maximum: 1 }),
  }),
);
export type Measures = DocumentOf<typeof MEASURES>;

/**
 * All measures of an image against a reference.
 *
 * @param peak the range of the values; default: that of the reference
 * @throws SlothfulError `bad-input` for images of two sizes
 */
export function measure(reference: readonly Plane[], other: readonly Plane[], peak = rangeOf(reference)): Measures {
  return {
    psnr: psnr(reference, other, peak),
    ssim: ssim(reference, other, peak),
    high_frequency_ratio: highFrequencyRatio(reference, other),
    gradient_similarity: gradientSimilarity(reference, other, peak),
  };
}

function rangeOf(image: readonly Plane[]): number {
  let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const { data } of image) {
    for (const value of data) {
      low = Math.min(low, value);
      high = Math.max(high, value);
    }
  }
  return high > low ? high - low : 1;
}
