import type { Picture } from '../sampling/index.ts';

const CHANNELS = 4;

/** Red, green and blue as sums of the latent's channels, for values of 0 to 255. */
interface LatentColours {
  readonly factors: readonly (readonly number[])[];
  readonly biases: readonly number[];
}

/** Fitted by keturn for Stable Diffusion 1.4 (discuss.huggingface.co, "Decoding latents to RGB without upscaling"). */
const SD15: LatentColours = {
  factors: [
    [0.298, 0.187, -0.158, -0.184],
    [0.207, 0.286, 0.189, -0.271],
    [0.208, 0.173, 0.264, -0.473],
  ].map((row) => row.map((factor) => factor * 127.5)),
  biases: [127.5, 127.5, 127.5],
};

/** Fitted by Timothy Alexis Vass for SDXL, as the documentation of diffusers has it (pipeline callbacks). */
const SDXL: LatentColours = {
  factors: [
    [60, -60, 25, -70],
    [60, -5, 15, -50],
    [60, 10, -5, -35],
  ],
  biases: [150, 140, 130],
};

/**
 * What latents will look like, about: one pixel for each of the latent, without the VAE.
 *
 * @param latents [batch, height, width, 4] of Stable Diffusion
 * @param family `sd15`, or else SDXL's kin
 */
export function latentPreviews(latents: Float32Array, height: number, width: number, family: unknown): Picture[] {
  const size = height * width * CHANNELS;
  const colours = family === 'sd15' ? SD15 : SDXL;
  return Array.from({ length: latents.length / size }, (_, image) => {
    return { width, height, rgba: coloured(latents.subarray(image * size, (image + 1) * size), colours) };
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
