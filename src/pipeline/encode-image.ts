import { SlothfulError } from '../errors.ts';
import type { LoadedModel, ModelStore, PipelineStore } from '../runtime/index.ts';
import { batchNoise, isSolverConfig, type RunExtent, type RunSettings, type Values } from '../sampling/index.ts';
import {
  autoencoderRecord,
  type CodingOptions,
  encodeImage,
  encodeLatents,
  type Moments,
  sampleLatents,
} from '../vae/index.ts';

/** What of an image is encoded: all of it, or what a mask leaves of it. Each is drawn by noise of its own. */
export type EncodedPart = 'encode' | 'encodeMasked';

/** An image as an encoder sees it, of which the latents of any run of its size are made. */
export interface EncodedImage {
  /**
   * Latents as the UNet has them, [batch, h, w, C]: drawn for each picture by its own noise; of ComfyUI's definitions the mean.
   *
   * @param noise standard normal, by default of the seed
   */
  drawn(settings: RunSettings, part: EncodedPart, noise?: Float32Array): Float32Array;
  /** The mean without the scaling factor, the same for each picture. */
  unscaled(batch: number): Float32Array;
}

/** How images are encoded. */
export interface EncodeOptions extends CodingOptions {
  readonly extent: RunExtent;
}

/**
 * Encodes an image once. A VAE's latents are drawn from what it says of the image; a TAESD's are what they are.
 *
 * @param image [1, H, W, 3] in -1..1
 * @throws SlothfulError `bad-input` where it makes no latents of the run's size
 */
export async function encodedImage(
  encoder: LoadedModel,
  image: Values,
  { extent, ...coding }: EncodeOptions,
): Promise<EncodedImage> {
  const { kind, scalingFactor } = autoencoderRecord(encoder, 'encoder');
  if (kind === 'taesd_encoder') {
    const { shape, data } = await encodeLatents(encoder, image, new Float32Array(), coding);
    checkSize(shape, extent, encoder.place);
    return { drawn: ({ batch }) => repeated(data, batch), unscaled: (batch) => repeated(data, batch) };
  }
  const moments = await encodeImage(encoder, image, coding);
  checkSize(moments.mean.shape, extent, encoder.place);
  return {
    drawn: (settings, part, noise) =>
      drawnLatents(moments, scalingFactor, settings, noise ?? noiseOf(moments, settings, part)),
    unscaled: (batch) => repeated(moments.mean.data, batch),
  };
}

function drawnLatents(
  { mean, logvar }: Moments,
  scalingFactor: number,
  { batch }: RunSettings,
  noise: Float32Array,
): Float32Array {
  const size = mean.data.length;
  const latents = new Float32Array(size * batch);
  for (let index = 0; index < batch; index++) {
    const own = noise.subarray(index * size, (index + 1) * size);
    latents.set(sampleLatents({ mean, logvar }, own, scalingFactor), index * size);
  }
  return latents;
}

/**
 * Our own, whatever the rng: what other programs draw here depends on all that they drew before. Of their seeds that ours
 * does not have, the lower digits. ComfyUI takes the mean; diffusers and A1111 draw.
 */
function noiseOf({ mean }: Moments, { batch, seed, scheduler }: RunSettings, part: EncodedPart): Float32Array {
  const size = mean.data.length;
  if (isSolverConfig(scheduler)) return new Float32Array(size * batch);
  const isOurs = BigInt(seed) + BigInt(batch) <= BigInt(Number.MAX_SAFE_INTEGER) + 1n;
  return batchNoise(size, batch, Number(isOurs ? seed : BigInt(seed) % 2n ** 52n), part);
}

function checkSize([, height, width]: readonly number[], { rows, columns }: RunExtent, place: string): void {
  if (height === rows && width === columns) return;
  const problem = `makes latents of ${height} x ${width}, and the run has ${rows} x ${columns}`;
  throw new SlothfulError('bad-input', place, problem, 'give the VAE of this model');
}

/** Which encoder of a pipeline takes images: the VAE's, or a TAESD's where it is asked for or there alone. */
export interface EncoderChoice {
  /** The TAESD before the VAE. */
  readonly taesd?: boolean | undefined;
  /** Only the VAE's will do. */
  readonly exact?: boolean | undefined;
}

/**
 * The encoder of a pipeline. Nothing is loaded.
 *
 * @throws SlothfulError `bad-input` where it has none
 */
export function encoderStore(
  pipeline: PipelineStore | undefined,
  { taesd = false, exact = false }: EncoderChoice,
  place: string,
): ModelStore {
  const parts = taesd ? (['taesd_encoder', 'vae_encoder'] as const) : (['vae_encoder', 'taesd_encoder'] as const);
  const wanted = exact ? (['vae_encoder'] as const) : parts;
  const found = wanted.map((part) => pipeline?.part(part)).find((store) => store !== undefined);
  if (found) return found;
  const cure = exact ? 'convert the whole pipeline' : 'convert the whole pipeline, or add a TAESD';
  throw new SlothfulError('bad-input', pipeline?.place ?? place, 'has no VAE encoder, which an image needs', cure);
}

/** Values several times, one after the other. */
export function repeated(values: Float32Array, times: number): Float32Array {
  const all = new Float32Array(values.length * times);
  for (let copy = 0; copy < times; copy++) all.set(values, copy * values.length);
  return all;
}
