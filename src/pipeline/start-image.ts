import { SlothfulError } from '../errors.ts';
import type { LoadedModel, ModelStore, PipelineStore } from '../runtime/index.ts';
import { batchNoise, type DenoiseStart, type Picture, type RunSettings, type Values } from '../sampling/index.ts';
import { autoencoderRecord, encodeImage, encodeLatents, imagesOfPictures, sampleLatents } from '../vae/index.ts';
import type { Look } from './look.ts';
import type { OpenedDocument } from './open-model.ts';
import { resizedImage } from './resize-image.ts';
import type { LoadPart } from './text-source.ts';

/** The image that a run starts from. */
export interface StartImage {
  readonly image: Picture;
  /** White where it is drawn anew, black where the image stays; of the image's size. */
  readonly mask?: Picture | undefined;
  /** Where the image and the mask are from, for messages. */
  readonly place?: string | undefined;
  readonly maskPlace?: string | undefined;
}

/** Strength where none is given: what diffusers' pipelines take. */
const STRENGTH = { image: 0.8, mask: 1 } as const;

/** The strength that an image is noised with where nobody says. */
export function usualStrength({ mask }: Pick<StartImage, 'mask'>): number {
  return mask ? STRENGTH.mask : STRENGTH.image;
}

/** @throws SlothfulError `bad-input` where the mask is not of the image's size */
export function checkMask({ image, mask, place = 'the image', maskPlace = 'the mask' }: StartImage): void {
  if (!mask || (mask.width === image.width && mask.height === image.height)) return;
  const problem = `is ${mask.width}x${mask.height}, and ${place} is ${image.width}x${image.height}`;
  throw new SlothfulError('bad-input', maskPlace, problem, 'give a mask of the same size');
}

/** What encodes images for a model; undefined where its data are pictures. */
export interface StartOptions {
  readonly settings: RunSettings;
  readonly look: Look;
  readonly load: LoadPart;
  /** By the TAESD in the place of the VAE. */
  readonly taesd?: boolean | undefined;
  /** Standard normal, [batch, rows, columns, channels]; default: of the seed. */
  readonly noise?: Float32Array | undefined;
  readonly onNote?: ((note: string) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * What a run starts from, of an image: its latents, encoded once for all pictures and drawn for each by its own noise, and
 * the mask at their size.
 *
 * @throws SlothfulError `bad-input` where the pipeline has no encoder, or the image makes no latents of the run's size
 */
export async function startOf(
  model: Pick<OpenedDocument, 'file' | 'place'>,
  start: StartImage,
  options: StartOptions,
): Promise<DenoiseStart> {
  const { rows, columns, strength = usualStrength(start) } = options.settings;
  const mask = start.mask && latentMask(start.mask, rows, columns);
  const make = options.look.exact ? pixelLatents(start, options.settings) : await encoded(model, start, options);
  return { latents: make, strength, mask };
}

async function encoded(
  { file, place }: Pick<OpenedDocument, 'file' | 'place'>,
  start: StartImage,
  options: StartOptions,
): Promise<Float32Array> {
  const { settings, signal } = options;
  const { rows, columns } = settings;
  const encoder = await options.load(encoderStore(file.store.pipeline, options.taesd, place));
  try {
    const image = sizedImage(start, options);
    const noise = (channels: number) => encoderNoise(options, channels);
    const { shape, data } = await latentsOf(encoder, image, { batch: settings.batch, noise, signal });
    if (shape[1] === rows && shape[2] === columns) return data;
    const problem = `makes latents of ${shape[1]} x ${shape[2]}, and the run has ${rows} x ${columns}`;
    throw new SlothfulError('bad-input', encoder.place, problem, 'give the VAE of this model');
  } finally {
    encoder.dispose();
  }
}

/** The image is encoded once, and drawn once for every picture; a TAESD draws nothing. */
async function latentsOf(
  encoder: LoadedModel,
  image: Values,
  {
    batch,
    noise,
    signal,
  }: { batch: number; noise: (channels: number) => Float32Array; signal?: AbortSignal | undefined },
): Promise<Values> {
  const { kind, latentChannels, scalingFactor } = autoencoderRecord(encoder, 'encoder');
  if (kind === 'taesd_encoder') {
    const { shape, data } = await encodeLatents(encoder, image, new Float32Array(), { signal });
    return { shape, data: repeated(data, batch) };
  }
  const { mean, logvar } = await encodeImage(encoder, image, { signal });
  const all = noise(latentChannels);
  const size = mean.data.length;
  const data = new Float32Array(all.length);
  for (let index = 0; index < batch; index++) {
    const own = all.subarray(index * size, (index + 1) * size);
    data.set(sampleLatents({ mean, logvar }, own, scalingFactor), index * size);
  }
  return { shape: mean.shape, data };
}

function encoderNoise({ noise, settings }: StartOptions, channels: number): Float32Array {
  const { rows, columns, batch, seed } = settings;
  return noise ?? batchNoise(rows * columns * channels, batch, seed, 'encode');
}

/** The image as an encoder takes it, of the run's size. */
function sizedImage({ image, place = 'the image' }: StartImage, { settings, onNote }: StartOptions): Values {
  const { rows, columns, scale } = settings;
  const { width, height } = { width: columns * scale, height: rows * scale };
  const isSame = image.width === width && image.height === height;
  if (!isSame) onNote?.(`${place} is ${image.width}x${image.height}: scaled to ${width}x${height}`);
  return resizedImage(imagesOfPictures([image]), { width, height });
}

function encoderStore(pipeline: PipelineStore | undefined, taesd = false, place: string): ModelStore {
  const [first, second] = taesd
    ? (['taesd_encoder', 'vae_encoder'] as const)
    : (['vae_encoder', 'taesd_encoder'] as const);
  const found = pipeline?.part(first) ?? pipeline?.part(second);
  if (found) return found;
  const cure = 'convert the whole pipeline, or add a TAESD';
  throw new SlothfulError('bad-input', pipeline?.place ?? place, 'has no VAE encoder, which an image needs', cure);
}

function repeated(values: Float32Array, times: number): Float32Array {
  const all = new Float32Array(values.length * times);
  for (let copy = 0; copy < times; copy++) all.set(values, copy * values.length);
  return all;
}

/** A picture as the data of a model of pictures: premultiplied RGBA in -1..1. */
function pixelLatents({ image, place = 'the image' }: StartImage, { rows, columns, batch }: RunSettings): Float32Array {
  const { rgba, width, height } = image;
  if (width !== columns || height !== rows) {
    throw new SlothfulError('bad-input', place, `is ${width}x${height}, and the run ${columns}x${rows}`);
  }
  const values = Float32Array.from(rgba, (value, index) => {
    const alpha = (rgba[index | 3] ?? 255) / 255;
    return index % 4 === 3 ? 2 * alpha - 1 : (2 * value * alpha) / 255 - 1;
  });
  return repeated(values, batch);
}

/** Luma in thousandths of red, green and blue, as ITU-R 601 has it. */
const LUMA = [299, 587, 114] as const;

/**
 * A mask at the size of latents: the nearest pixel, 1 where it is at least half white.
 * Source: diffusers' `VaeImageProcessor` (binarized greys) and `prepare_mask_latents` of its inpainting pipelines.
 */
export function latentMask({ width, height, rgba }: Picture, rows: number, columns: number): Float32Array {
  return Float32Array.from({ length: rows * columns }, (_, index) => {
    const y = Math.floor((Math.floor(index / columns) * height) / rows);
    const x = Math.floor(((index % columns) * width) / columns);
    const at = 4 * (y * width + x);
    const grey = LUMA.reduce((sum, share, channel) => sum + share * (rgba[at + channel] ?? 0), 0) / 1000;
    return Math.round(grey) * (rgba[at + 3] ?? 0) >= 127.5 * 255 ? 1 : 0;
  });
}
