import type { JsonObject } from '../graph/index.ts';
import { latentPreviews } from '../pictures/index.ts';
import { latentImage, type Plane, pictureImage } from '../pictures/measures/index.ts';
import { dataSpaceOf, decodePictures, type Picture } from '../sampling/index.ts';
import type { RunExtent } from './run-document.ts';

/** How what a model makes is looked at and measured. */
export interface Look {
  /** True where the data are pictures; else `pictures` are what the latents will look like, about. */
  readonly exact: boolean;
  /** One picture an image. */
  pictures(latents: Float32Array): Picture[];
  /** One image each, to be measured: the picture's, or where there is none the latent's own channels. */
  images(latents: Float32Array): (readonly Plane[])[];
  /** The range of an image's values, where it is known. */
  readonly peak: number | undefined;
}

/**
 * How the data of a model are looked at.
 *
 * @param metadata the model's
 * @param place the model, for messages
 * @throws SlothfulError `unsupported` for data of an unknown kind
 */
export function lookOf(metadata: JsonObject, { rows, columns }: RunExtent, place: string): Look {
  if (dataSpaceOf(metadata, place) === 'latent') return latentLook(metadata, rows, columns);
  const pictures = (latents: Float32Array) => decodePictures(latents, rows, columns);
  return { exact: true, pictures, images: (latents) => pictures(latents).map(pictureImage), peak: 1 };
}

function latentLook({ family }: JsonObject, rows: number, columns: number): Look {
  const size = rows * columns * 4;
  return {
    exact: false,
    pictures: (latents) => latentPreviews(latents, rows, columns, family),
    images: (latents) =>
      Array.from({ length: latents.length / size }, (_, image) =>
        latentImage(latents.subarray(image * size, (image + 1) * size), rows, columns),
      ),
    peak: undefined,
  };
}
