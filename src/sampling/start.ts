import { SlothfulError } from '../errors.ts';
import type { Scheduler } from './schedulers/index.ts';
import { checkFinite } from './values.ts';

/** What a run starts from in the place of noise alone: image to image, or inpainting. */
export interface DenoiseStart {
  /** The image as the UNet has it: encoded, times the scaling factor; [batch, height, width, channels]. */
  readonly latents: Float32Array;
  /** How far it is noised, above 0 up to 1: that share of the steps is done. */
  readonly strength: number;
  /** 1 where it is drawn anew, 0 where the image stays, [height, width]; without it all is drawn anew. */
  readonly mask?: Float32Array | undefined;
  /**
   * `false`: the image is not put back after the steps where the mask keeps it, as an inpainting model, which is told both,
   * keeps it by itself. Default true.
   */
  readonly putsBack?: boolean | undefined;
}

/**
 * The first of a run's steps: with a strength, only the last `floor(steps * strength)` are done.
 * Source: `get_timesteps` of diffusers' StableDiffusionImg2ImgPipeline.
 *
 * @throws SlothfulError `bad-parameter` for a strength out of range, or one that leaves no step
 */
export function firstStep(steps: number, strength: number | undefined): number {
  if (strength === undefined) return 0;
  if (!(strength > 0 && strength <= 1)) {
    throw new SlothfulError('bad-parameter', 'strength', `must be above 0 and at most 1, got ${strength}`);
  }
  const done = Math.min(Math.floor(steps * strength), steps);
  if (done >= 1) return steps - done;
  const cure = `with ${steps} steps, take ${Math.ceil(1000 / steps) / 1000} or more`;
  throw new SlothfulError('bad-parameter', 'strength', `${strength} of ${steps} steps is less than one`, cure);
}

/**
 * The sample that a run begins with: noise, or the image with noise as at the first step. Inpainting at strength 1 begins
 * with noise alone. Source: diffusers' pipelines.
 *
 * @param noise standard normal
 */
export function firstSample(
  scheduler: Scheduler,
  start: DenoiseStart | undefined,
  first: number,
  noise: Float32Array,
): Float32Array {
  if (!start || (start.mask && start.strength === 1)) return noise.map((value) => value * scheduler.initNoiseSigma);
  return scheduler.addNoise(start.latents, noise, first);
}

/** What `keepImage` mixes. */
export interface KeptImage {
  /** After the step. */
  readonly sample: Float32Array;
  /** That the run began with, standard normal. */
  readonly noise: Float32Array;
  readonly channels: number;
}

/**
 * The sample after a step with the image put back where the mask says so, noised as it would be then by the same noise.
 *
 * @param step that is done
 */
export function keepImage(
  scheduler: Scheduler,
  { latents, mask, putsBack = true }: DenoiseStart,
  step: number,
  { sample, noise, channels }: KeptImage,
): Float32Array {
  if (!mask || !putsBack) return sample;
  const known = scheduler.addNoise(latents, noise, step + 1);
  return masked(mask, channels, sample, known);
}

/** What is drawn where the mask is 1, and what is known where it is 0; of every image of a batch. */
export function masked(mask: Float32Array, channels: number, drawn: Float32Array, known: Float32Array): Float32Array {
  return drawn.map((value, index) => {
    const share = mask[Math.floor(index / channels) % mask.length] ?? 1;
    return share * value + (1 - share) * (known[index] ?? 0);
  });
}

/** @throws SlothfulError `bad-input` where latents or mask are not of the run's size, or not numbers */
export function checkStart({ latents, mask }: DenoiseStart, shape: readonly [number, number, number, number]): void {
  const [batch, height, width, channels] = shape;
  checkFinite(latents, 'start.latents');
  const expected = batch * height * width * channels;
  if (latents.length !== expected) {
    const problem = `has ${latents.length} values, and the run has ${expected}`;
    throw new SlothfulError('bad-input', 'start.latents', problem);
  }
  if (mask && mask.length !== height * width) {
    const problem = `has ${mask.length} values, and the latents are ${height} x ${width}`;
    throw new SlothfulError('bad-input', 'start.mask', problem);
  }
}
