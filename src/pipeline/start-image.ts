import { SlothfulError } from '../errors.ts';
import type { LoadedModel, ModelStore, PipelineStore, Platform } from '../runtime/index.ts';
import {
  batchNoise,
  type DenoiseStart,
  isSolverConfig,
  type Picture,
  type RunExtent,
  type RunSettings,
  type Values,
} from '../sampling/index.ts';
import { autoencoderRecord, encodeImage, encodeLatents, sampleLatents, type Tiling } from '../vae/index.ts';
import { isComfyui, type SamplerChoice } from './choose-sampler.ts';
import { cropped, croppedSize } from './crop.ts';
import type { Look } from './look.ts';
import { type OpenedDocument, pixelsOf } from './open-model.ts';
import type { RunChoices } from './resolve-run.ts';
import { sizedImage } from './sized-image.ts';
import type { LoadPart } from './text-source.ts';
import { tilingOf } from './tiling.ts';

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

/** What an image decides of a run: its size, where no other is asked for, and how far it is noised. */
export function startChoices(
  choices: SamplerChoice & Pick<RunChoices, 'size' | 'rows' | 'columns' | 'strength'>,
  start: StartImage | undefined,
): Pick<RunChoices, 'size' | 'strength'> {
  const { size, rows, columns, strength } = choices;
  if (!start) return { size, strength };
  const isSized = size !== undefined || rows !== undefined || columns !== undefined;
  const own = isComfyui(choices) ? croppedSize(start.image) : { width: start.image.width, height: start.image.height };
  return { size: isSized ? size : own, strength: strength ?? usualStrength(start) };
}

/** @throws SlothfulError `bad-input` where the mask is not of the image's size */
export function checkMask({ image, mask, place = 'the image', maskPlace = 'the mask' }: StartImage): void {
  if (!mask || (mask.width === image.width && mask.height === image.height)) return;
  const problem = `is ${mask.width}x${mask.height}, and ${place} is ${image.width}x${image.height}`;
  throw new SlothfulError('bad-input', maskPlace, problem, 'give a mask of the same size');
}

/** How the image is made what a run starts from. */
export interface StartOptions {
  readonly extent: RunExtent;
  readonly look: Look;
  readonly load: LoadPart;
  readonly platform: Platform;
  /** By the TAESD in the place of the VAE. */
  readonly taesd?: boolean | undefined;
  /** Crop the image about its centre, as ComfyUI does, where only its last few pixels are too many. */
  readonly crop?: boolean | undefined;
  /** Edge of tiles in pixels; 0: in one go; default: tiles where memory asks for them. */
  readonly tile?: number | undefined;
  readonly onNote?: ((note: string) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** What a run starts from, by its settings; the noise is standard normal, by default of the seed. */
export type StartFor = (settings: RunSettings, noise?: Float32Array) => DenoiseStart;

/**
 * What runs of one size start from, of an image: it is encoded once, and its latents are drawn for each picture by its own
 * noise; the mask is taken to their size.
 *
 * @throws SlothfulError `bad-input` where the pipeline has no encoder, or the image makes no latents of the run's size
 */
export async function startOf(
  model: Pick<OpenedDocument, 'file' | 'place'>,
  start: StartImage,
  options: StartOptions,
): Promise<StartFor> {
  const { extent, look } = options;
  const shown = options.crop ? cropped(start) : start;
  const mask = shown.mask && latentMask(shown.mask, extent.rows, extent.columns);
  const draw = look.exact ? pixelLatents(shown, extent) : await encoded(model, shown, options);
  return (settings, noise) => {
    const { strength = usualStrength(start) } = settings;
    return { latents: draw(settings, noise), strength, mask };
  };
}

type Draw = (settings: RunSettings, noise?: Float32Array) => Float32Array;

async function encoded(
  { file, place }: Pick<OpenedDocument, 'file' | 'place'>,
  start: StartImage,
  options: StartOptions,
): Promise<Draw> {
  const { extent, signal, platform, onNote } = options;
  const encoder = await options.load(encoderStore(file.store.pipeline, options.taesd, place));
  try {
    const { image: picture, place: from = 'the image' } = start;
    const image = sizedImage({ image: picture, place: from }, pixelsOf(extent), onNote);
    const tiling = tilingOf(encoder, { extent, platform, onNote, tile: options.tile, work: 'encoding' });
    return await drawingOf(encoder, image, { extent, tiling, signal });
  } finally {
    encoder.dispose();
  }
}

/** A VAE's latents are drawn from what it says of the image; a TAESD's are what they are. */
async function drawingOf(
  encoder: LoadedModel,
  image: Values,
  { extent, ...coding }: { extent: RunExtent; tiling: Tiling | undefined; signal: AbortSignal | undefined },
): Promise<Draw> {
  const { kind, scalingFactor } = autoencoderRecord(encoder, 'encoder');
  if (kind === 'taesd_encoder') {
    const latents = await encodeLatents(encoder, image, new Float32Array(), coding);
    checkSize(latents.shape, extent, encoder.place);
    return ({ batch }) => repeated(latents.data, batch);
  }
  const { mean, logvar } = await encodeImage(encoder, image, coding);
  checkSize(mean.shape, extent, encoder.place);
  const size = mean.data.length;
  return (settings, given) => {
    const { batch } = settings;
    // ComfyUI takes the mean; diffusers and A1111 draw.
    const isMean = isSolverConfig(settings.scheduler);
    const noise = isMean ? new Float32Array(size * batch) : (given ?? encoderNoise(size, settings));
    const latents = new Float32Array(size * batch);
    for (let index = 0; index < batch; index++) {
      const own = noise.subarray(index * size, (index + 1) * size);
      latents.set(sampleLatents({ mean, logvar }, own, scalingFactor), index * size);
    }
    return latents;
  };
}

/**
 * Our own, whatever the rng: what other programs draw here depends on all that they drew before. Of their seeds that ours
 * does not have, the lower digits.
 */
function encoderNoise(size: number, { batch, seed }: RunSettings): Float32Array {
  const isOurs = BigInt(seed) + BigInt(batch) <= BigInt(Number.MAX_SAFE_INTEGER) + 1n;
  return batchNoise(size, batch, Number(isOurs ? seed : BigInt(seed) % 2n ** 52n), 'encode');
}

function checkSize([, height, width]: readonly number[], { rows, columns }: RunExtent, place: string): void {
  if (height === rows && width === columns) return;
  const problem = `makes latents of ${height} x ${width}, and the run has ${rows} x ${columns}`;
  throw new SlothfulError('bad-input', place, problem, 'give the VAE of this model');
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
function pixelLatents({ image, place = 'the image' }: StartImage, { rows, columns }: RunExtent): Draw {
  const { rgba, width, height } = image;
  if (width !== columns || height !== rows) {
    throw new SlothfulError('bad-input', place, `is ${width}x${height}, and the run ${columns}x${rows}`);
  }
  const values = Float32Array.from(rgba, (value, index) => {
    const alpha = (rgba[index | 3] ?? 255) / 255;
    return index % 4 === 3 ? 2 * alpha - 1 : (2 * value * alpha) / 255 - 1;
  });
  return ({ batch }) => repeated(values, batch);
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
