import { familyOrUsual, type LatentColours } from '../families/index.ts';
import type { Picture } from '../sampling/index.ts';

const CHANNELS = 4;

/**
 * What latents will look like, about: one pixel for each of the latent, without the VAE.
 *
 * @param latents [batch, height, width, 4] of Stable Diffusion
 * @param family as the model's metadata name it; where they do not, SDXL's colours
 */
export function latentPreviews(latents: Float32Array, height: number, width: number, family: unknown): Picture[] {
  const size = height * width * CHANNELS;
  const { latentColours } = familyOrUsual(family);
  return Array.from({ length: latents.length / size }, (_, image) => {
    return { width, height, rgba: coloured(latents.subarray(image * size, (image + 1) * size), latentColours) };
  });
}

function coloured(latent: Float32Array, { factors, biases }: LatentColours): Uint8ClampedArray {
  return Uint8ClampedArray.from({ length: latent.length }, (_, index) => {
    const channel = index % CHANNELS;
    const weights = factors[channel];
    const start = index - channel;
    if (!weights) return 255;
    return weights.reduce((sum, weight, each) => sum + weight * (latent[start + each] ?? 0), biases[channel] ?? 0);
  });
}
