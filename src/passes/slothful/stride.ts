import { SlothfulError } from '../../errors.ts';
import { type SiteBlock, type SlothfulParameters, sideOf } from './parameters.ts';

/** What the stride of a self-attention depends on: its part of the UNet, and its linear downscale (1, 2, 4, 8). */
export interface StrideSite {
  readonly block: SiteBlock;
  readonly downscale: number;
}

/** Size of a latent, in its own pixels. */
export interface LatentSize {
  readonly height: number;
  readonly width: number;
}

/** Downscales of a UNet's shallowest and deepest self-attention (SD1.5: 1 and 8; SDXL, SSD-1B: 2 and 4). */
export interface DepthRange {
  readonly top: number;
  readonly deep: number;
}

/**
 * Why a site is left as it is: the middle block is kept; its strength asks for no reduction at all; its depth takes the
 * stride down to 1 at every step; or this step does.
 */
export type UntouchedReason = 'keep_middle' | 'strength' | 'depth' | 'late step';

/** The reduction asked of a site at one step. Up to 1, the site is left exactly as it is, for `reason`. */
export type Stride =
  | { readonly pooled: true; readonly stride: number }
  | { readonly pooled: false; readonly stride: number; readonly reason: UntouchedReason };

/** The reasons in words, for reports. */
export const UNTOUCHED_REASONS: Readonly<Record<UntouchedReason, string>> = {
  keep_middle: 'the middle block is kept',
  strength: 'the strength asks for no reduction',
  depth: 'the depth decay takes the stride to 1 or less',
  'late step': 'the time decay takes the stride to 1 or less at this step',
};

/**
 * The stride of one site at one step: `strength * depth ratio * t ^ time_decay`, with `t` from sigma and
 * `0 ^ 0 = 1` (formulas and sources: the original node's first release).
 *
 * @param depth the UNet's shallowest and deepest self-attention
 * @param sigma noise level of the model call that is being made
 * @param latent with `compat: 'comfyui'` the level is told by counts of tokens, as the original does: on odd sizes it is
 *   not a power of two
 */
export function siteStride(
  parameters: SlothfulParameters,
  site: StrideSite,
  depth: DepthRange,
  sigma: number,
  latent?: LatentSize,
): Stride {
  if (site.block === 'middle' && parameters.keep_middle) return { pooled: false, stride: 1, reason: 'keep_middle' };
  const { strength, depthDecay } = sideOf(parameters, site.block);
  const level = parameters.compat === 'comfyui' && latent ? levelByTokens(site, latent) : site.downscale;
  const atStart = strength * depthRatio(depthDecay, level, depth);
  const stride = atStart * timeFactor(sigma) ** parameters.time_decay;
  if (stride > 1) return { pooled: true, stride };
  const reason = strength <= 1 ? 'strength' : atStart <= 1 ? 'depth' : 'late step';
  return { pooled: false, stride, reason };
}

/**
 * How far denoising is from its end, for the strides: `clamp((ln sigma + 2.2) / 5, 0, 1)`. 1 at the first steps, 0 below
 * sigma 0.11, and 0 at sigma 0, where the original throws.
 *
 * @throws SlothfulError `bad-input` for a negative sigma or none
 */
export function timeFactor(sigma: number): number {
  if (!(sigma >= 0)) throw new SlothfulError('bad-input', 'sigma', `must be 0 or more, got ${sigma}`);
  return Math.min(Math.max((Math.log(sigma) + 2.2) / 5, 0), 1);
}

/** The original's level: `sqrt(latent pixels / tokens)`. Stable Diffusion's downsamplers round halves up. */
function levelByTokens({ downscale }: StrideSite, { height, width }: LatentSize): number {
  return Math.sqrt((height * width) / (Math.ceil(height / downscale) * Math.ceil(width / downscale)));
}

/** 1 at the shallowest level and less below; for a negative decay 1 at the deepest and less above. */
function depthRatio(decay: number, downscale: number, { top, deep }: DepthRange): number {
  return decay >= 0 ? (top / downscale) ** decay : (downscale / deep) ** -decay;
}
