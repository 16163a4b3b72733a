import { SlothfulError } from '../errors.ts';
import type { Values } from '../sampling/index.ts';
import { checkValues } from '../tensors/index.ts';
import { type AutoencoderHalf, autoencoderRecord } from './autoencoder.ts';
import { type CodingOptions, codeImages } from './code-images.ts';
import { type Edge, planTiles } from './tiles.ts';

/**
 * Decodes latents to images: by a VAE, which takes them divided by its scaling factor, or by a TAESD, which takes them as
 * they are. The images of a batch are computed one at a time, and so are tiles.
 *
 * @param decoder a loaded `vae_decoder` or `taesd_decoder`
 * @param latents [B, h, w, C] as the UNet has them
 * @returns [B, 8h, 8w, 3] in about -1..1, not clamped
 * @throws SlothfulError `bad-input` for another model or latents of another model; `bad-parameter` for a tiling that cannot
 *   be; `aborted`; `bad-model` where the model answers NaN or infinity, or does not fit its metadata
 * Source: diffusers, `AutoencoderKL.decode`, `AutoencoderTiny.decode`.
 */
export async function decodeLatents(
  decoder: AutoencoderHalf,
  latents: Values,
  options: CodingOptions = {},
): Promise<Values> {
  const { scalingFactor, downscale, latentChannels, imageChannels } = autoencoderRecord(decoder, 'decoder');
  checkLatents(latents, latentChannels, decoder.place);
  const [, height = 0, width = 0] = latents.shape;
  const edge = (latent: number): Edge => ({ latent, pixels: latent * downscale });
  const plan = planTiles(edge(height), edge(width), downscale, options.tiling);
  const input = { shape: latents.shape, data: latents.data.map((value) => value / scalingFactor) };
  const way = { model: decoder, input: 'latent', output: 'image' } as const;
  return codeImages(input, { ...way, channels: imageChannels, plan, downscale }, options);
}

function checkLatents(latents: Values, wanted: number, place: string): void {
  const { shape } = latents;
  if (shape.length !== 4 || shape.some((size) => size < 1)) {
    throw new SlothfulError('bad-input', 'latents', `must be [B, h, w, C], got [${shape}]`);
  }
  checkValues(latents, 'latents');
  const channels = shape[3];
  if (channels === wanted) return;
  const problem = `is the VAE of another model: its latents have ${wanted} channels, and these have ${channels}`;
  throw new SlothfulError('bad-input', place, problem, 'give the VAE of the model that made them');
}
