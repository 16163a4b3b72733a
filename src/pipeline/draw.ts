import { SlothfulError } from '../errors.ts';
import { ModelFile, unetField } from '../models/index.ts';
import { type Plane, pictureImage } from '../pictures/index.ts';
import type { LoadedModel, ModelStore, Platform } from '../runtime/index.ts';
import type { Picture, RunExtent } from '../sampling/index.ts';
import { autoencoderRecord, decodeLatents, picturesOfImages, type TileProgress, type Tiling } from '../vae/index.ts';
import type { Look } from './look.ts';
import type { OpenedDocument } from './open-model.ts';
import type { LoadPart } from './text-source.ts';
import { checkTile, tilingOf } from './tiling.ts';

/** What latents may be decoded by; `none` leaves them as they are. */
export const DECODERS = ['vae', 'taesd', 'none'] as const;
export type DecoderName = (typeof DECODERS)[number];

/** A decoder of a pipeline that is not loaded yet. */
export interface DecoderPart {
  readonly name: Exclude<DecoderName, 'none'>;
  readonly store: ModelStore;
}

/** What is asked of drawing. */
export interface DrawChoice {
  readonly decoder?: DecoderName | undefined;
  /** Edge of the decoder's tiles in pixels; 0: in one go; default: tiles where memory asks for them. */
  readonly tile?: number | undefined;
}

/**
 * What the latents of a model are decoded by: what is asked for, or the VAE of its pipeline, or its TAESD. Undefined where
 * they are not decoded: the model's data are pictures, or it has neither. All is checked before anything is loaded.
 *
 * @throws SlothfulError `bad-input` where what is asked for is not there, or is of another model; `usage` for tiles that
 *   cannot be
 */
export async function decoderOf(
  { file, graph, place }: Pick<OpenedDocument, 'file' | 'graph' | 'place'>,
  look: Look,
  { decoder: asked, tile }: DrawChoice,
): Promise<DecoderPart | undefined> {
  checkTile(tile);
  const { pipeline } = file.store;
  if (asked === 'none' || (look.exact && asked === undefined)) return undefined;
  const part = (name: 'vae' | 'taesd'): DecoderPart | undefined => {
    const store = look.exact ? undefined : pipeline?.part(`${name}_decoder`);
    return store && { name, store };
  };
  const found = asked === undefined ? (part('vae') ?? part('taesd')) : part(asked);
  if (found) return checkedDecoder(found, unetField(graph.metadata, 'out_channels'));
  if (asked === undefined) return undefined;
  const cure = `convert the pipeline with its ${asked === 'vae' ? 'VAE (--vae)' : 'TAESD (--taesd)'}`;
  throw new SlothfulError('bad-input', pipeline?.place ?? place, `has no ${asked} decoder`, cure);
}

async function checkedDecoder(part: DecoderPart, channels: unknown): Promise<DecoderPart> {
  const { graph, place } = await ModelFile.open(part.store);
  const { latentChannels } = autoencoderRecord({ metadata: graph.metadata, place }, 'decoder');
  if (channels === undefined || channels === latentChannels) return part;
  const problem = `is the VAE of another model: its latents have ${latentChannels} channels, and the UNet's have ${channels}`;
  throw new SlothfulError('bad-input', place, problem, 'give the VAE of the model');
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
    const tiling = tilingOf(model, { ...options, work: 'decoding' });
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
  { extent, onTile }: Pick<DrawOptions, 'extent' | 'onTile'>,
): Promise<Drawn> {
  const { rows, columns } = extent;
  const channels = latents.length / (extent.batch * rows * columns);
  const values = { shape: [extent.batch, rows, columns, channels], data: latents };
  const pictures = picturesOfImages(await decodeLatents(model, values, { tiling, onTile }));
  return { pictures, images: pictures.map(pictureImage) };
}
