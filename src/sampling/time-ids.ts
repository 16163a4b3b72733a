import type { RunConditioning } from './conditioning.ts';
import type { Values } from './values.ts';

/** Size of a picture in pixels. */
export interface PictureSize {
  readonly width: number;
  readonly height: number;
}

/** What SDXL is told about a picture; by default that it is whole, and was as large as it shall be. */
export interface PictureSizes {
  /** Of the picture before it was cropped. */
  readonly original?: PictureSize | undefined;
  /** How much was cropped from its top and left. */
  readonly crop?: { readonly top: number; readonly left: number } | undefined;
  /** What it shall look as large as. */
  readonly target?: PictureSize | undefined;
}

/**
 * SDXL's `time_ids`, [1, 6]: original height and width, crop from top and left, target height and width, in pixels.
 * Source: `_get_add_time_ids` of diffusers' StableDiffusionXLPipeline.
 *
 * @param size of the picture that is made
 */
export function timeIds(size: PictureSize, { original = size, crop, target = size }: PictureSizes = {}): Values {
  const { top = 0, left = 0 } = crop ?? {};
  const data = [original.height, original.width, top, left, target.height, target.width];
  return { shape: [1, 6], data: Float32Array.from(data) };
}

/** Sizes of a picture, and others for what it is guided away from. */
export interface GuidedSizes extends PictureSizes {
  /** By default those of the picture; they act where both, original and target, are given. */
  readonly negative?: PictureSizes | undefined;
}

/** Adds `time_ids` to both halves of a conditioning. */
export function withSizes(
  { cond, uncond }: RunConditioning,
  size: PictureSize,
  { negative, ...sizes }: GuidedSizes = {},
): RunConditioning {
  const isOther = negative?.original !== undefined && negative.target !== undefined;
  return {
    cond: { ...cond, time_ids: timeIds(size, sizes) },
    uncond: uncond && { ...uncond, time_ids: timeIds(size, isOther ? negative : sizes) },
  };
}
