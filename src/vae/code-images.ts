import * as tf from '@tensorflow/tfjs-core';
import { SlothfulError } from '../errors.ts';
import { betweenSteps, type Values } from '../sampling/index.ts';
import { firstNonFinite } from '../tensors/index.ts';
import type { AutoencoderHalf } from './autoencoder.ts';
import { cutTile, type Span, TileJoiner, type TilePlan, type Tiling } from './tiles.ts';

/** How far a batch is. */
export interface TileProgress {
  /** Tiles that are done, of all images. */
  readonly done: number;
  readonly total: number;
}

/** How images are decoded or encoded. */
export interface CodingOptions {
  /** By default each image is computed at once. */
  readonly tiling?: Tiling | undefined;
  /** Told after every tile; an image that is not cut is one. */
  readonly onTile?: ((progress: TileProgress) => void) | undefined;
  /** Stops between two tiles. */
  readonly signal?: AbortSignal | undefined;
}

/** One way through an autoencoder. */
export interface Coding {
  readonly model: AutoencoderHalf;
  readonly input: 'latent' | 'image';
  readonly output: 'image' | 'latent' | 'moments';
  /** Channels of the output. */
  readonly channels: number;
  readonly plan: TilePlan;
  /** Pixels of a latent pixel's edge. */
  readonly downscale: number;
}

/**
 * Runs the images of a batch through one half of an autoencoder, one image and one tile at a time. Tensors live only within
 * a tile.
 *
 * @param values [B, h, w, C] of the input
 * @returns [B, h', w', C'] of the output
 * @throws SlothfulError `aborted`; `bad-model` where the output has another shape or holds NaN or infinity
 */
export async function codeImages(values: Values, coding: Coding, options: CodingOptions): Promise<Values> {
  const [batch = 0] = values.shape;
  const { plan, channels } = coding;
  const { to } = spacesOf(coding);
  const shape = [batch, lengthOf(plan.rows, to), lengthOf(plan.columns, to), channels];
  const result = { shape, data: new Float32Array(sizeOf(shape)) };
  const total = batch * plan.rows.length * plan.columns.length;
  const place = coding.input === 'latent' ? 'decode' : 'encode';
  let done = 0;
  for (let image = 0; image < batch; image++) {
    await codeImage(imageOf(values, image), imageOf(result, image), coding, async (compute) => {
      await betweenSteps(options.signal, place, { done, total, unit: 'tiles' });
      const tile = await compute();
      done += 1;
      options.onTile?.({ done, total });
      return tile;
    });
  }
  return result;
}

/** Computes a tile when it is its turn. */
type Turn = (compute: () => Promise<Values>) => Promise<Values>;

/** Fills `target` with what the model makes of `source`; both are one image. */
async function codeImage(source: Values, target: Values, coding: Coding, turn: Turn): Promise<void> {
  const { plan, downscale, channels } = coding;
  const { from, to } = spacesOf(coding);
  const joiner = new TileJoiner(target, to === 'latent' ? plan.blend : plan.blend * downscale);
  for (const rows of plan.rows) {
    for (const [column, columns] of plan.columns.entries()) {
      const tile = await turn(() => {
        const shape = [1, rows[to].size, columns[to].size, channels];
        return computeTile(coding, cutTile(source, rows[from], columns[from]), shape);
      });
      joiner.add(tile, column, rows[to].start, columns[to].start);
    }
  }
}

/** @param shape what the output must be */
async function computeTile(coding: Coding, tile: Values, shape: readonly number[]): Promise<Values> {
  const { model, input, output } = coding;
  const fed = tf.tensor(tile.data, [...tile.shape], 'float32');
  let made: tf.Tensor | undefined;
  try {
    ({ [output]: made } = model.execute({ [input]: fed }, [output]));
    if (!made) throw new SlothfulError('bad-model', model.place, `gives no output "${output}"`);
    const data = Float32Array.from(await made.data());
    checkOutput(data, made.shape, shape, model.place);
    return { shape, data };
  } finally {
    fed.dispose();
    made?.dispose();
  }
}

function checkOutput(data: Float32Array, shape: readonly number[], expected: readonly number[], place: string): void {
  if (String(shape) !== String(expected)) {
    const problem = `its output is [${shape}], and [${expected}] is what its metadata say`;
    throw new SlothfulError('bad-model', place, problem, 'convert it again');
  }
  const index = firstNonFinite(data);
  if (index < 0) return;
  const problem = `it answered ${data[index]} at value ${index} of ${data.length}`;
  throw new SlothfulError('bad-model', place, problem, 'its weights are broken, or its input far out of range');
}

function spacesOf({ input }: Coding): { readonly from: keyof Span; readonly to: keyof Span } {
  return input === 'latent' ? { from: 'latent', to: 'pixels' } : { from: 'pixels', to: 'latent' };
}

/** All spans of an edge end at its end, at the latest. */
function lengthOf(spans: readonly Span[], space: keyof Span): number {
  return Math.max(0, ...spans.map((span) => span[space].start + span[space].size));
}

function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}

/** One image of a batch, as a view. */
function imageOf({ shape: [, ...shape], data }: Values, image: number): Values {
  const size = sizeOf(shape);
  return { shape: [1, ...shape], data: data.subarray(image * size, (image + 1) * size) };
}
