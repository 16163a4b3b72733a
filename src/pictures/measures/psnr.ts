import { meanOf, meanOverChannels, type Plane } from './plane.ts';

/**
 * Peak signal-to-noise ratio in dB; the higher, the more alike.
 *
 * @param peak the range of the values
 * @returns null for images that are the same, whose ratio is infinite
 * @throws SlothfulError `bad-input` for images of two sizes
 */
export function psnr(reference: readonly Plane[], other: readonly Plane[], peak: number): number | null {
  const error = meanOverChannels(reference, other, (a, b) => {
    return meanOf({ ...a, data: a.data.map((value, index) => (value - (b.data[index] ?? 0)) ** 2) });
  });
  return error === 0 ? null : 10 * Math.log10(peak ** 2 / error);
}
