import { SlothfulError } from '../../errors.ts';
import type { Picture } from '../../sampling/index.ts';

/** One channel of an image, row-major. */
export interface Plane {
  readonly width: number;
  readonly height: number;
  readonly data: Float32Array;
}

/** The red, green and blue of an opaque picture, 0 to 1 each. */
export function pictureImage({ width, height, rgba }: Picture): Plane[] {
  return interleaved(
    Float32Array.from(rgba, (value) => value / 255),
    { width, height, stride: 4 },
    3,
  );
}

/** The four channels of one latent, [height, width, channels]. */
export function latentImage(latent: Float32Array, height: number, width: number): Plane[] {
  const stride = latent.length / (height * width);
  return interleaved(latent, { width, height, stride }, stride);
}

function interleaved(
  values: Float32Array,
  { width, height, stride }: { width: number; height: number; stride: number },
  channels: number,
): Plane[] {
  return Array.from({ length: channels }, (_, channel) => {
    const data = Float32Array.from({ length: width * height }, (_, pixel) => values[pixel * stride + channel] ?? 0);
    return { width, height, data };
  });
}

/** @throws SlothfulError `bad-input` where two images are not of one size */
export function checkAlike(reference: readonly Plane[], other: readonly Plane[]): void {
  const sizeOf = (image: readonly Plane[]) => `${image[0]?.width}x${image[0]?.height} in ${image.length} channels`;
  if (reference.length && sizeOf(reference) === sizeOf(other)) return;
  const problem = `images of ${sizeOf(reference)} and ${sizeOf(other)} cannot be compared`;
  throw new SlothfulError('bad-input', 'measures', problem);
}

/** The mean over the channels of two images of what `measure` says of each pair. */
export function meanOverChannels(
  reference: readonly Plane[],
  other: readonly Plane[],
  measure: (reference: Plane, other: Plane) => number,
): number {
  checkAlike(reference, other);
  const sum = reference.reduce((total, plane, channel) => total + measure(plane, other[channel] ?? plane), 0);
  return sum / reference.length;
}

/** A plane of `f(a, b)` for every two pixels in one place. */
export function combinePlanes(a: Plane, b: Plane, f: (a: number, b: number) => number): Plane {
  return { ...a, data: a.data.map((value, index) => f(value, b.data[index] ?? 0)) };
}

/** Mean of all values. */
export function meanOf({ data }: Plane): number {
  return data.reduce((sum, value) => sum + value, 0) / data.length;
}
