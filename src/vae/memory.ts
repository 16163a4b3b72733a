import { SlothfulError } from '../errors.ts';
import { endpoint, executionOrder, type Graph, type GraphNode, inferShapes } from '../graph/index.ts';
import { autoencoderRecord, sideOf } from './autoencoder.ts';
import type { Tiling } from './tiles.ts';

/** Size of latents. */
export interface LatentSize {
  readonly rows: number;
  readonly columns: number;
}

const BYTES = 4;
/**
 * What allocators and kernels take beside the tensors, by the pixel and at any size: buffers of their own, and memory that
 * is in pieces. Measured of the usual VAE in new processes on native TensorFlow (64 to 1,024 pixels an edge) and on wasm
 * (128 to 512), whole and in nine tiles: from 256 pixels on the estimate is 1.0 to 1.25 times what native took.
 */
const SHARE = 1.3;
const BASE = 384 * 2 ** 20;

/** Edges of tiles that are chosen from: multiples of this, in latent pixels, from the least on. */
const STEP = 8;
const LEAST = 32;

/**
 * Estimates the most memory that decoding one image takes beyond the weights, on backends that compute in the host's memory.
 *
 * Its tensors are followed through the graph as TF.js makes and frees them. Two places are the widest: of the usual VAE the
 * first SiLU at full resolution, where 3.5 maps of 256 channels are held, 3.5 KiB a pixel; and the softmax of the
 * attention over all latent pixels, twice 4 (h w)^2 bytes, which overtakes it at 1,360 x 1,360 pixels. What wasm keeps of
 * the weights besides, packed for its products, is not in it: see `guardMemory` of the loader.
 *
 * @param graph a decoder's document, or an encoder's for encoding; `LoadedModel.graph` is one
 * @throws SlothfulError `bad-input` for another model; `bad-graph` where a shape cannot be told
 */
export function decodeBytes(graph: Graph, size: LatentSize): number {
  return BASE + SHARE * heldBytes(graph, size);
}

/**
 * Chooses tiles by the memory that there is: none where the whole image fits, else the largest that do, else the smallest.
 * They overlap by a quarter.
 *
 * @param graph a decoder's document, or an encoder's for encoding
 * @param size of the whole latents
 * @param availableBytes what decoding may take beyond the weights
 */
export function chooseTiling(graph: Graph, size: LatentSize, availableBytes: number): Tiling | undefined {
  const { rows, columns } = size;
  const fits = (tile: number) => {
    const part = { rows: Math.min(tile, rows), columns: Math.min(tile, columns) };
    return decodeBytes(graph, part) <= availableBytes;
  };
  const edge = Math.max(rows, columns);
  if (edge <= LEAST || fits(edge)) return undefined;
  // Larger tiles take more, so those that fit come first.
  let [least, most] = [LEAST / STEP, Math.ceil(edge / STEP) - 1];
  while (least < most) {
    const middle = Math.ceil((least + most) / 2);
    if (fits(middle * STEP)) least = middle;
    else most = middle - 1;
  }
  return { tile: least * STEP, overlap: 0.25 };
}

/** Most bytes of tensors that are held at once, weights aside. */
export function heldBytes(graph: Graph, size: LatentSize): number {
  const { order } = executionOrder(graph);
  const sizes = tensorSizes(graph, order, inputOf(graph, size));
  const lastReader = new Map(order.flatMap(({ name, inputs }) => inputs.map((each) => [each.node, name] as const)));
  let held = 0;
  let peak = 0;
  for (const { name, inputs } of order) {
    held += sizes.get(name) ?? 0;
    peak = Math.max(peak, held);
    for (const source of new Set(inputs.map((each) => each.node))) {
      if (lastReader.get(source) === name) held -= sizes.get(source) ?? 0;
    }
  }
  return peak;
}

type Inputs = Readonly<Record<string, readonly number[]>>;

/** Bytes of the first output of every node; none of weights, which are there already. */
function tensorSizes(graph: Graph, order: readonly GraphNode[], inputs: Inputs): ReadonlyMap<string, number> {
  const shapes = inferShapes(graph, inputs, order);
  return new Map(
    order.map(({ name, op }) => {
      if (op === 'Const') return [name, 0];
      const shape = shapes.shape(endpoint(name));
      if (shape) return [name, BYTES * shape.reduce((product, size) => product * size, 1)];
      const problem = `its shape cannot be told: ${shapes.reason(endpoint(name))}`;
      throw new SlothfulError('bad-graph', `node "${name}"`, problem);
    }),
  );
}

/** One image or its latents, as the half takes them. */
function inputOf({ metadata }: Graph, { rows, columns }: LatentSize): Inputs {
  const side = sideOf(metadata.kind) ?? 'decoder';
  const { latentChannels, imageChannels, downscale } = autoencoderRecord({ metadata, place: 'the model' }, side);
  return side === 'decoder'
    ? { latent: [1, rows, columns, latentChannels] }
    : { image: [1, rows * downscale, columns * downscale, imageChannels] };
}
