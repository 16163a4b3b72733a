import { SlothfulError } from '../errors.ts';

/** What a model's data are: `latent` needs a VAE to become a picture; the other is a picture as it stands. */
export const DATA_SPACES = ['latent', 'premultiplied-rgba'] as const;
export type DataSpace = (typeof DATA_SPACES)[number];

/** A picture: four bytes a pixel (R, G, B, A), rows from the top. */
export interface Picture {
  readonly width: number;
  readonly height: number;
  readonly rgba: Uint8ClampedArray;
}

/**
 * What the metadata of a model says its data are; `latent` where they say nothing.
 *
 * @throws SlothfulError `unsupported` for a space that is unknown
 */
export function dataSpaceOf(metadata: Readonly<Record<string, unknown>>, place: string): DataSpace {
  const written = metadata.data_space ?? 'latent';
  const found = DATA_SPACES.find((space) => space === written);
  if (found) return found;
  const cure = `known are ${DATA_SPACES.join(', ')}`;
  throw new SlothfulError('unsupported', place, `data_space ${JSON.stringify(written)} is unknown`, cure);
}

/**
 * Pictures of premultiplied RGBA in [-1, 1], over white: with p = (x + 1) / 2 clipped to 0..1, rgb = p.rgb + 1 - p.a.
 *
 * @param latents [batch, height, width, 4]
 * @returns one opaque picture an image
 * @throws SlothfulError `bad-input` where latents are not of that size
 */
export function decodePictures(latents: Float32Array, height: number, width: number): Picture[] {
  const size = height * width * 4;
  if (!(size > 0) || latents.length === 0 || latents.length % size) {
    const problem = `${latents.length} values are not pictures of ${width}x${height} pixels in 4 channels`;
    throw new SlothfulError('bad-input', 'latents', problem);
  }
  return Array.from({ length: latents.length / size }, (_, image) => {
    return { width, height, rgba: overWhite(latents.subarray(image * size, (image + 1) * size)) };
  });
}

function overWhite(pixels: Float32Array): Uint8ClampedArray {
  const share = (index: number) => Math.min(Math.max(((pixels[index] ?? 0) + 1) / 2, 0), 1);
  // Uint8ClampedArray rounds to the nearest byte and keeps to 0..255.
  return Uint8ClampedArray.from({ length: pixels.length }, (_, index) => {
    const alpha = index | 3;
    return index === alpha ? 255 : 255 * (share(index) + 1 - share(alpha));
  });
}
