import type { Values } from '../sampling/index.ts';
import type { PromptConditioning } from './conditioning.ts';

/** Pixels. */
export interface Extent {
  readonly height: number;
  readonly width: number;
}

/** What SDXL is told about a picture; by default that it is whole, and was as large as it shall be. */
export interface PictureSizes {
  /** Of the picture before it was cropped. */
  readonly original?: Extent | undefined;
  /** How much was cropped from its top and left. */
  readonly crop?: { readonly top: number; readonly left: number } | undefined;
  /** What it shall look as large as. */
  readonly target?: Extent | undefined;
}

/**
 * SDXL's `time_ids`, [1, 6]: original height and width, crop from top and left, target height and width, in pixels.
 * Source: `_get_add_time_ids` of diffusers' StableDiffusionXLPipeline.
 *
 * @param size of the picture that is made
 */
export function timeIds(size: Extent, { original = size, crop, target = size }: PictureSizes = {}): Values {
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
  { cond, uncond }: PromptConditioning,
  size: Extent,
  { negative, ...sizes }: GuidedSizes = {},
): PromptConditioning {
  const isOther = negative?.original !== undefined && negative.target !== undefined;
  return {
    cond: { ...cond, time_ids: timeIds(size, sizes) },
    uncond: uncond && { ...uncond, time_ids: timeIds(size, isOther ? negative : sizes) },
  };
}
