import { SlothfulError } from '../errors.ts';
import { type Plane, pictureImage } from '../pictures/index.ts';
import type { LoadedModel, ModelStore, Platform } from '../runtime/index.ts';
import type { Picture, RunExtent } from '../sampling/index.ts';
import { chooseTiling, decodeLatents, picturesOfImages, type TileProgress, type Tiling } from '../vae/index.ts';
import type { Look } from './look.ts';
import type { OpenedDocument } from './open-model.ts';
import type { LoadPart } from './text-source.ts';

/** What latents may be decoded by; `none` leaves them as they are. */
export const DECODERS = ['vae', 'taesd', 'none'] as const;
export type DecoderName = (typeof DECODERS)[number];

/** A decoder of a pipeline that is not loaded yet. */
export interface DecoderPart {
  readonly name: Exclude<DecoderName, 'none'>;
  readonly store: ModelStore;
}

/**
 * What the latents of a model are decoded by: what is asked for, or the VAE of its pipeline, or its TAESD. Undefined where
 * they are not decoded: the model's data are pictures, or it has neither.
 *
 * @throws SlothfulError `bad-input` where what is asked for is not there
 */
export function decoderOf(
  { file, place }: Pick<OpenedDocument, 'file' | 'place'>,
  look: Look,
  asked?: DecoderName,
): DecoderPart | undefined {
  const { pipeline } = file.store;
  const part = (name: 'vae' | 'taesd'): DecoderPart | undefined => {
    const store = pipeline?.part(`${name}_decoder`);
    return store && { name, store };
  };
  if (look.exact || asked === 'none') return undefined;
  if (asked === undefined) return part('vae') ?? part('taesd');
  const found = part(asked);
  if (found) return found;
  const cure = `convert the pipeline with its ${asked === 'vae' ? 'VAE (--vae)' : 'TAESD (--taesd)'}`;
  throw new SlothfulError('bad-input', pipeline?.place ?? place, `has no ${asked} decoder`, cure);
}

/** How latents are drawn. */
export interface DrawOptions {
  /** Rows and columns of the latents. */
  readonly extent: RunExtent;
  readonly load: LoadPart;
  readonly platform: Platform;
  /** Edge of a tile in pixels; 0: in one go; default: tiles where memory asks for them. */
  readonly tile?: number | undefined;
  /** Told before it starts that tiles are taken, and why. */
  readonly onNote?: ((note: string) => void) | undefined;
  readonly onTile?: ((progress: TileProgress) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** The pictures of one run, and the same to be measured. */
export interface Drawn {
  readonly pictures: readonly Picture[];
  readonly images: readonly (readonly Plane[])[];
}

/** What was drawn, and how. */
export interface Drawing {
  /** In the order of the latents. */
  readonly drawn: readonly Drawn[];
  /** False where pictures are only about what a decoder would make of the latents. */
  readonly exact: boolean;
  /** The range of an image's values, where it is known. */
  readonly peak: number | undefined;
  /** What decoded, and the edge of its tiles in pixels; undefined where nothing was decoded. */
  readonly decoder: { readonly name: string; readonly tile: number | null } | undefined;
}

/**
 * Draws the latents of runs: by a decoder, which is loaded for it and gone when it is done, or as the data are looked at
 * without.
 *
 * @param runs latents of each, [batch, rows, columns, channels]
 * @throws SlothfulError what loading and decoding throw
 */
export async function drawAll(
  look: Look,
  part: DecoderPart | undefined,
  runs: readonly Float32Array[],
  options: DrawOptions,
): Promise<Drawing> {
  if (!part || !runs.length) {
    const drawn = runs.map((latents) => ({ pictures: look.pictures(latents), images: look.images(latents) }));
    return { drawn, exact: look.exact, peak: look.peak, decoder: undefined };
  }
  const model = await options.load(part.store);
  try {
    const tiling = tilingOf(model, options);
    const drawn: Drawn[] = [];
    for (const latents of runs) drawn.push(await decoded(model, latents, tiling, options));
    const tile = tiling ? tiling.tile * options.extent.scale : null;
    return { drawn, exact: true, peak: 1, decoder: { name: part.name, tile } };
  } finally {
    model.dispose();
  }
}

/** What a run looks like while it goes on. */
export interface Preview {
  pictures(latents: Float32Array): Promise<readonly Picture[]>;
  dispose(): void;
}

/** Looks at latents by the pipeline's TAESD, which is small and stays loaded; where it has none, as without a decoder. */
export async function openPreview(
  { file }: Pick<OpenedDocument, 'file'>,
  look: Look,
  { extent, load }: Pick<DrawOptions, 'extent' | 'load'>,
): Promise<Preview> {
  const store = look.exact ? undefined : file.store.pipeline?.part('taesd_decoder');
  if (!store) return { pictures: async (latents) => look.pictures(latents), dispose: () => undefined };
  const model = await load(store);
  return {
    pictures: async (latents) => (await decoded(model, latents, undefined, { extent })).pictures,
    dispose: () => model.dispose(),
  };
}

async function decoded(
  model: LoadedModel,
  latents: Float32Array,
  tiling: Tiling | undefined,
  { extent, onTile, signal }: Pick<DrawOptions, 'extent' | 'onTile' | 'signal'>,
): Promise<Drawn> {
  const { rows, columns } = extent;
  const channels = latents.length / (extent.batch * rows * columns);
  const values = { shape: [extent.batch, rows, columns, channels], data: latents };
  const pictures = picturesOfImages(await decodeLatents(model, values, { tiling, onTile, signal }));
  return { pictures, images: pictures.map(pictureImage) };
}

const GIB = 2 ** 30;
/** Where nobody tells how much there is, as in browsers. */
const USUAL_MEMORY = 2 * GIB;
/** WebAssembly's address space, less the weights, which are kept twice, and what earlier models left in pieces. */
const WASM_MEMORY = 3 * GIB;
/** So much of what is free may be taken. */
const SHARE = 0.8;

/** The tiles to decode in: what is asked for, or what fits into the memory that there is. */
function tilingOf(model: LoadedModel, { tile, extent, platform, onNote }: DrawOptions): Tiling | undefined {
  const { scale, rows, columns } = extent;
  if (tile === 0) return undefined;
  if (tile !== undefined) return { tile: checkTile(tile, scale) / scale };
  const free = memoryFor(model, platform);
  const tiling = chooseTiling(model.graph, { rows, columns }, free);
  if (!tiling) return undefined;
  const pixels = tiling.tile * scale;
  onNote?.(
    `decoding in tiles of ${pixels} pixels: ${(free / GIB).toFixed(1)} GiB of memory are free; --tile 0 takes none`,
  );
  return tiling;
}

function memoryFor({ backend }: LoadedModel, platform: Platform): number {
  if (backend.tfjsName === 'wasm') return WASM_MEMORY;
  return SHARE * (platform.freeMemory?.() ?? USUAL_MEMORY);
}

const LEAST_TILE = 8;

function checkTile(tile: number, scale: number): number {
  if (Number.isInteger(tile) && tile >= LEAST_TILE * scale && tile % scale === 0) return tile;
  const cure = `give a multiple of ${scale} pixels from ${LEAST_TILE * scale}, or 0`;
  throw new SlothfulError('usage', '--tile', `cannot be ${tile}`, cure);
}
