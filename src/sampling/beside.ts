import { SlothfulError } from '../errors.ts';
import type { Guidance } from './guidance.ts';
import { checkFinite, type ImageShape, type Values } from './values.ts';

/** Channels that a model takes behind the sample's own: an inpainting model's mask and masked image, an image to change. */
export interface BesideSample {
  /** [batch, height, width, channels], not scaled by the noise level. */
  readonly values: Float32Array;
  readonly channels: number;
}

/** @throws SlothfulError `bad-input` where it is not of the run's size, or holds no numbers */
export function checkBeside({ values, channels }: BesideSample, [batch, height, width]: ImageShape): void {
  checkFinite(values, 'beside');
  const expected = batch * height * width * channels;
  if (values.length === expected) return;
  const problem = `has ${values.length} values, and ${channels} channels of the run are ${expected}`;
  throw new SlothfulError('bad-input', 'beside', problem);
}

/**
 * The sample of every part of a batch, with the channels beside it behind its own. A part that is told of no image has
 * zeros there. Source: diffusers' inpainting pipelines and StableDiffusionInstructPix2PixPipeline.
 *
 * @param sample [batch, height, width, C] of one part
 * @returns [parts batch, height, width, C + channels]
 */
export function withBeside(sample: Values, beside: BesideSample, { parts, imageScale }: Guidance): Values {
  const [batch = 0, height = 0, width = 0, own = 0] = sample.shape;
  const { values, channels } = beside;
  const all = own + channels;
  const pixels = batch * height * width;
  const data = new Float32Array(parts.length * pixels * all);
  parts.forEach((part, index) => {
    const isBlank = part === 'uncond' && imageScale !== undefined;
    for (let pixel = 0; pixel < pixels; pixel++) {
      const at = (index * pixels + pixel) * all;
      data.set(sample.data.subarray(pixel * own, (pixel + 1) * own), at);
      if (!isBlank) data.set(values.subarray(pixel * channels, (pixel + 1) * channels), at + own);
    }
  });
  return { shape: [parts.length * batch, height, width, all], data };
}
