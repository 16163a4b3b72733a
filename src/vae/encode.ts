import { SlothfulError } from '../errors.ts';
import type { Values } from '../sampling/index.ts';
import { checkValues } from '../tensors/index.ts';
import { type AutoencoderHalf, type AutoencoderRecord, autoencoderRecord } from './autoencoder.ts';
import { type CodingOptions, codeImages } from './code-images.ts';
import { type Edge, planTiles } from './tiles.ts';

/** What a VAE says of an image: a normal distribution of every value of its latents, before the scaling factor. */
export interface Moments {
  /** [B, h, w, C] */
  readonly mean: Values;
  /** Logarithm of the variance, [B, h, w, C] in -30..20. */
  readonly logvar: Values;
}

/** Between these diffusers uses the logarithm of the variance. */
const LOGVAR = [-30, 20] as const;

/**
 * Encodes images by a VAE. They are computed one at a time, and so are tiles.
 *
 * @param encoder a loaded `vae_encoder`
 * @param image [B, H, W, 3] in -1..1
 * @returns mean and logvar, [B, H / 8, W / 8, C], rounded down
 * @throws SlothfulError as `encodeLatents` does
 * Source: diffusers, `AutoencoderKL.encode`, `DiagonalGaussianDistribution`.
 */
export async function encodeImage(
  encoder: AutoencoderHalf,
  image: Values,
  options: CodingOptions = {},
): Promise<Moments> {
  const record = autoencoderRecord(encoder, 'encoder');
  if (record.kind !== 'vae_encoder') {
    const problem = `is a ${record.kind}, which gives latents and no distribution of them`;
    throw new SlothfulError('bad-input', encoder.place, problem, 'give the model folder vae_encoder');
  }
  return momentsOf(encoder, image, record, options);
}

/**
 * Draws latents of a distribution: (mean + exp(logvar / 2) noise) scalingFactor.
 *
 * @param noise normal, as many values as `mean`
 * @returns latents as the UNet has them, in the order of `mean`
 * @throws SlothfulError `bad-input` for noise of another size
 * Source: diffusers, `DiagonalGaussianDistribution.sample`.
 */
export function sampleLatents({ mean, logvar }: Moments, noise: Float32Array, scalingFactor: number): Float32Array {
  if (noise.length !== mean.data.length) {
    const problem = `has ${noise.length} values, and the latents [${mean.shape}] have ${mean.data.length}`;
    throw new SlothfulError('bad-input', 'noise', problem);
  }
  return mean.data.map((value, index) => {
    const deviation = Math.exp((logvar.data[index] ?? 0) / 2);
    return (value + deviation * (noise[index] ?? 0)) * scalingFactor;
  });
}

/**
 * Encodes images to latents as the UNet has them: by a VAE, whose distribution is drawn from and scaled, or by a TAESD,
 * which gives them as they are and needs no noise.
 *
 * @param encoder a loaded `vae_encoder` or `taesd_encoder`
 * @param image [B, H, W, 3] in -1..1
 * @param noise normal, [B, H / 8, W / 8, C]; not looked at by a TAESD
 * @returns [B, H / 8, W / 8, C]; where 8 does not divide an edge a VAE rounds down and a TAESD up
 * @throws SlothfulError `bad-input` for another model, an image that is none or noise of another size; `bad-parameter` for
 *   a tiling that cannot be; `aborted`; `bad-model` where the model answers NaN or infinity, or does not fit its metadata
 */
export async function encodeLatents(
  encoder: AutoencoderHalf,
  image: Values,
  noise: Float32Array,
  options: CodingOptions = {},
): Promise<Values> {
  const record = autoencoderRecord(encoder, 'encoder');
  if (record.kind === 'taesd_encoder') return encode(encoder, image, record, options);
  const moments = await momentsOf(encoder, image, record, options);
  return { shape: moments.mean.shape, data: sampleLatents(moments, noise, record.scalingFactor) };
}

async function momentsOf(
  encoder: AutoencoderHalf,
  image: Values,
  record: AutoencoderRecord,
  options: CodingOptions,
): Promise<Moments> {
  const moments = await encode(encoder, image, record, options);
  const [least, most] = LOGVAR;
  const logvar = half(moments, record.latentChannels, 1);
  for (const [index, value] of logvar.data.entries()) logvar.data[index] = Math.min(Math.max(value, least), most);
  return { mean: half(moments, record.latentChannels, 0), logvar };
}

/** What the encoder gives: moments [B, h, w, 2C] of a VAE, latents [B, h, w, C] of a TAESD. */
function encode(
  model: AutoencoderHalf,
  image: Values,
  { kind, downscale, latentChannels, imageChannels }: AutoencoderRecord,
  options: CodingOptions,
): Promise<Values> {
  checkImage(image, imageChannels, downscale);
  const isTaesd = kind === 'taesd_encoder';
  // Where it halves an edge a VAE pads the end alone, a TAESD both.
  const round = isTaesd ? Math.ceil : Math.floor;
  const edge = (pixels = 0): Edge => ({ latent: round(pixels / downscale), pixels });
  const [, height, width] = image.shape;
  const plan = planTiles(edge(height), edge(width), downscale, options.tiling);
  const made = isTaesd
    ? ({ output: 'latent', channels: latentChannels } as const)
    : ({ output: 'moments', channels: 2 * latentChannels } as const);
  return codeImages(image, { model, input: 'image', ...made, plan, downscale }, options);
}

function checkImage(image: Values, channels: number, downscale: number): void {
  const [batch = 0, height = 0, width = 0, own = 0] = image.shape;
  if (image.shape.length !== 4 || own !== channels || batch < 1 || Math.min(height, width) < downscale) {
    const problem = `must be [B, H, W, ${channels}] of at least ${downscale} pixels an edge, got [${image.shape}]`;
    throw new SlothfulError('bad-input', 'image', problem);
  }
  checkValues(image, 'image');
}

/** The first (0) or the second half of the channels of moments. */
function half({ shape, data }: Values, channels: number, which: 0 | 1): Values {
  const [batch = 0, height = 0, width = 0] = shape;
  const values = new Float32Array(batch * height * width * channels);
  for (let pixel = 0; pixel < batch * height * width; pixel++) {
    const from = (2 * pixel + which) * channels;
    values.set(data.subarray(from, from + channels), pixel * channels);
  }
  return { shape: [batch, height, width, channels], data: values };
}
