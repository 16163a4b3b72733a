import { SlothfulError } from '../errors.ts';
import type { Platform } from '../runtime/index.ts';
import {
  type BesideSample,
  type DenoiseStart,
  isSolverConfig,
  type Picture,
  type PictureSize,
  type RunExtent,
  type RunSettings,
  type Values,
} from '../sampling/index.ts';
import type { TileProgress } from '../vae/index.ts';
import { besideImage, besideMask, type TakenBeside, takenBeside } from './beside-sample.ts';
import { isComfyui, type SamplerChoice } from './choose-sampler.ts';
import { cropped, croppedSize } from './crop.ts';
import { type EncodedImage, encodedImage, encoderStore, repeated } from './encode-image.ts';
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
  taken?: TakenBeside,
): Pick<RunChoices, 'size' | 'strength'> {
  const { size, rows, columns, strength } = choices;
  if (!start) return { size, strength };
  const isSized = size !== undefined || rows !== undefined || columns !== undefined;
  const own = isComfyui(choices) ? croppedSize(start.image) : { width: start.image.width, height: start.image.height };
  // What changes an image by an instruction is shown it beside noise alone.
  const usual = taken === 'image' ? undefined : usualStrength(start);
  return { size: isSized ? size : own, strength: strength ?? usual };
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
  readonly onTile?: ((progress: TileProgress) => void) | undefined;
}

/** What a run starts from, and what its model takes beside the sample. */
export interface RunStart {
  /** Undefined: from noise alone. */
  readonly start?: DenoiseStart | undefined;
  readonly beside?: BesideSample | undefined;
}

/** Noise by which latents are drawn, standard normal, [batch, h, w, C]; what is left out is of the seed. */
export interface EncoderNoise {
  readonly image?: Float32Array | undefined;
  /** Of what a mask leaves of the image. */
  readonly masked?: Float32Array | undefined;
}

/** What a run starts from, by its settings. */
export type StartFor = (settings: RunSettings, noise?: EncoderNoise) => RunStart;

/**
 * What runs of one size start from, of an image: it is encoded once, and its latents are drawn for each picture by its own
 * noise; the mask is taken to their size. What the model takes beside its sample is made of both.
 *
 * @throws SlothfulError `bad-input` where the pipeline has no encoder, or the image makes no latents of the run's size
 */
export async function startOf(
  model: Pick<OpenedDocument, 'file' | 'graph' | 'place'>,
  start: StartImage,
  options: StartOptions,
): Promise<StartFor> {
  const { extent, look, crop } = options;
  const shown = crop ? cropped(start) : start;
  const mask = shown.mask && latentMask(shown.mask, extent.rows, extent.columns);
  if (look.exact) {
    const draw = pixelLatents(shown, extent);
    return (settings) => ({ start: { latents: draw(settings), strength: strengthOf(settings, start), mask } });
  }
  const taken = takenBeside(model.graph);
  const { image, masked } = await encodedBoth(model, shown, taken, options);
  if (taken === 'image') return ({ batch }) => ({ beside: besideImage(image.unscaled(batch), { ...extent, batch }) });
  return (settings, noise) => {
    const latents = image.drawn(settings, 'encode', noise?.image);
    const beside = mask && masked?.drawn(settings, 'encodeMasked', noise?.masked);
    return {
      // By ComfyUI's definitions the image is put back all the same.
      start: {
        latents,
        strength: strengthOf(settings, start),
        mask,
        putsBack: !beside || isSolverConfig(settings.scheduler),
      },
      beside: beside && besideMask(repeated(mask, settings.batch), beside, { ...extent, batch: settings.batch }),
    };
  };
}

const strengthOf = ({ strength }: RunSettings, start: StartImage): number => strength ?? usualStrength(start);

/** The image, and where the model takes it what the mask leaves of it, by one encoder. */
async function encodedBoth(
  { file, place }: Pick<OpenedDocument, 'file' | 'place'>,
  start: StartImage,
  taken: TakenBeside | undefined,
  options: StartOptions,
): Promise<{ readonly image: EncodedImage; readonly masked: EncodedImage | undefined }> {
  const { extent, signal, platform, onNote, onTile, tile, taesd } = options;
  const encoder = await options.load(encoderStore(file.store.pipeline, { taesd, exact: taken === 'image' }, place));
  try {
    const { image: picture, mask, place: from = 'the image' } = start;
    const pixels = pixelsOf(extent);
    const image = sizedImage({ image: picture, place: from }, pixels, onNote);
    const tiling = tilingOf(encoder, { extent, platform, onNote, tile, work: 'encoding' });
    const coding = { extent, tiling, signal, onTile };
    const whole = await encodedImage(encoder, image, coding);
    const isMasked = taken === 'mask' && mask !== undefined;
    const masked = isMasked ? await encodedImage(encoder, blanked(image, mask, pixels), coding) : undefined;
    return { image: whole, masked };
  } finally {
    encoder.dispose();
  }
}

/** The image with grey, which is 0, where it is drawn anew. */
function blanked({ shape, data }: Values, mask: Picture, { width, height }: PictureSize): Values {
  const isDrawn = latentMask(mask, height, width);
  return { shape, data: data.map((value, index) => (isDrawn[Math.floor(index / 3)] ? 0 : value)) };
}

/** A picture as the data of a model of pictures: premultiplied RGBA in -1..1. */
function pixelLatents(
  { image, place = 'the image' }: StartImage,
  { rows, columns }: RunExtent,
): (settings: RunSettings) => Float32Array {
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
