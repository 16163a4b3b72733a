import { SlothfulError } from '../errors.ts';
import { type Graph, readShape } from '../graph/index.ts';
import { unetField } from '../models/index.ts';
import type { BesideSample, RunExtent, RunSettings, Values } from '../sampling/index.ts';
import { channelsLast } from '../tensors/index.ts';

/**
 * What a UNet takes in the channels behind its latent: a mask and the masked image (inpainting, 4 + 1 + 4), an image that an
 * instruction changes (InstructPix2Pix, 4 + 4), or what is not known here.
 */
export type TakenBeside = 'mask' | 'image' | 'unknown';

/** What a model takes beside its sample, by its channels; undefined: nothing. */
export function takenBeside(graph: Graph): TakenBeside | undefined {
  const { taken, own } = channelsOf(graph);
  if (taken === undefined || own === undefined || taken <= own) return undefined;
  if (taken === 2 * own + 1) return 'mask';
  return taken === 2 * own ? 'image' : 'unknown';
}

/** Channels of the sample that a UNet takes, and of what it denoises; undefined where it does not tell. */
export function channelsOf(graph: Graph): { readonly taken: number | undefined; readonly own: number | undefined } {
  const sample = graph.node('sample');
  const last = sample && readShape(sample.attributes, 'shape')?.[3];
  const taken = unetField(graph.metadata, 'in_channels') ?? (last !== undefined && last > 0 ? last : undefined);
  const own = unetField(graph.metadata, 'out_channels') ?? 4;
  return { taken: typeof taken === 'number' ? taken : undefined, own: typeof own === 'number' ? own : undefined };
}

/** Tensors of a file in the place of pictures, by diffusers' names; NCHW. */
export type BesideTensors = ReadonlyMap<string, Values>;

/** What each kind of model is given by. */
const TENSORS = { mask: ['mask', 'masked_image_latents'], image: ['image_latents'] } as const;

/** Whether a tensor of this name is what a model takes beside its sample. */
export function isBesideTensor(graph: Graph, name: string): boolean {
  const taken = takenBeside(graph);
  const names: readonly string[] = taken === 'mask' || taken === 'image' ? TENSORS[taken] : [];
  return names.includes(name);
}

/** Parts the tensors of a file into what a model is told and what it takes beside its sample. */
export function withoutBeside(
  graph: Graph,
  tensors: ReadonlyMap<string, Values>,
): { readonly told: ReadonlyMap<string, Values>; readonly beside: BesideTensors } {
  const isBeside = ([name]: readonly [string, unknown]) => isBesideTensor(graph, name);
  const all = [...tensors];
  return { told: new Map(all.filter((each) => !isBeside(each))), beside: new Map(all.filter(isBeside)) };
}

/** What a run is given for the channels beside its sample. */
export interface GivenBeside {
  readonly start?: { readonly mask?: unknown } | undefined;
  readonly tensors?: BesideTensors | undefined;
}

/**
 * Checks that a run has what its model takes beside the sample, before anything is loaded.
 *
 * @throws SlothfulError `usage` for what is missing or too much, `unsupported` for other channels
 */
export function checkGivenBeside(
  { graph, place }: { readonly graph: Graph; readonly place: string },
  given: GivenBeside,
): void {
  const taken = takenBeside(graph);
  if (!taken) return;
  const { taken: count, own } = channelsOf(graph);
  if (taken === 'unknown') {
    const problem = `its UNet takes ${count} channels, ${own} of them the latent, and what the others are is not known here`;
    throw new SlothfulError('unsupported', place, problem, 'evaluate it with predict, which takes any sample');
  }
  const { start, tensors } = given;
  const names = TENSORS[taken];
  const isByTensors = names.every((name) => tensors?.has(name));
  if (start && names.some((name) => tensors?.has(name))) {
    const problem = `cannot be combined with "${names.join('" and "')}" in the file of tensors`;
    throw new SlothfulError('usage', '--init-image', problem, 'give one');
  }
  if (taken === 'mask' && !start?.mask && !isByTensors) throw missing(place, count, taken);
  if (taken === 'image' && !start && !isByTensors) throw missing(place, count, taken);
  if (taken === 'image' && start?.mask) {
    const problem = 'is not for a model that changes a whole image by an instruction';
    throw new SlothfulError('usage', '--mask', problem, 'leave it out');
  }
}

function missing(place: string, count: number | undefined, taken: 'mask' | 'image'): SlothfulError {
  const [what, flags] =
    taken === 'mask'
      ? ['is an inpainting model', '--init-image picture.png --mask mask.png']
      : ['changes an image by an instruction, as InstructPix2Pix does', '--init-image picture.png'];
  const needs = taken === 'mask' ? 'a mask and the masked image' : 'that image';
  const problem = `${what}: its UNet takes ${count} channels, the latent and ${needs}`;
  const cure = `give ${flags}, or "${TENSORS[taken].join('" and "')}" in the file of --cond`;
  return new SlothfulError('usage', place, problem, cure);
}

/** A mask, 1 where it is drawn anew, and the latents of what it leaves, as an inpainting UNet takes them. */
export function besideMask(
  mask: Float32Array,
  masked: Float32Array,
  { rows, columns, batch }: Pick<RunExtent, 'rows' | 'columns' | 'batch'>,
): BesideSample {
  const pixels = batch * rows * columns;
  const own = masked.length / pixels;
  const values = new Float32Array(pixels * (own + 1));
  for (let pixel = 0; pixel < pixels; pixel++) {
    values[pixel * (own + 1)] = mask[pixel] ?? 0;
    values.set(masked.subarray(pixel * own, (pixel + 1) * own), pixel * (own + 1) + 1);
  }
  return { values, channels: own + 1 };
}

/** The latents of an image that an instruction changes, not scaled. */
export function besideImage(
  latents: Float32Array,
  { rows, columns, batch }: Pick<RunExtent, 'rows' | 'columns' | 'batch'>,
): BesideSample {
  return { values: latents, channels: latents.length / (batch * rows * columns) };
}

/**
 * What a model takes beside its sample, of tensors of a file: `mask` [B, 1, h, w] or [h, w] of any size with
 * `masked_image_latents` [B, 4, h, w], or `image_latents` [B, 4, h, w]. One serves all images; copies for the parts of
 * guidance, as diffusers' pipelines make them, are passed over.
 *
 * @param place the file
 * @throws SlothfulError `bad-input` for tensors of another shape
 */
export function besideOfTensors(
  graph: Graph,
  tensors: BesideTensors,
  settings: RunSettings,
  place: string,
): BesideSample | undefined {
  const taken = takenBeside(graph);
  const { own = 4 } = channelsOf(graph);
  const latents = (name: string) =>
    ofBatch(tensors.get(name), { ...settings, channels: own }, `${place} tensor "${name}"`);
  if (taken === 'image') return { values: latents('image_latents'), channels: own };
  if (taken !== 'mask') return undefined;
  return besideMask(maskOfBatch(tensors.get('mask'), settings, place), latents('masked_image_latents'), settings);
}

type Wanted = Pick<RunSettings, 'rows' | 'columns' | 'batch'> & { readonly channels: number };

function ofBatch(values: Values | undefined, { rows, columns, batch, channels }: Wanted, place: string): Float32Array {
  const { shape, data } = values ?? { shape: [], data: new Float32Array() };
  const [count = 0, own, height, width] = shape;
  const isFitting = count > 0 && (count % batch === 0 || batch % count === 0);
  if (shape.length !== 4 || !isFitting || own !== channels || height !== rows || width !== columns) {
    const problem = `is [${shape.join(', ')}], and the run needs [${batch}, ${channels}, ${rows}, ${columns}]`;
    throw new SlothfulError('bad-input', place, problem, 'give --size and --batch to match');
  }
  const last = channelsLast(data, [count, rows, columns, channels]);
  const size = last.length / count;
  const all = new Float32Array(batch * size);
  const times = Math.max(1, batch / count);
  for (let image = 0; image < batch; image++) {
    const from = Math.floor(image / times) * size;
    all.set(last.subarray(from, from + size), image * size);
  }
  return all;
}

/** A mask at the size of latents, by the nearest of its own. */
function maskOfBatch(mask: Values | undefined, { rows, columns, batch }: RunSettings, file: string): Float32Array {
  const place = `${file} tensor "mask"`;
  const { shape = [], data = new Float32Array() } = mask ?? {};
  const whole = [1, 1, 1, 1, ...shape].slice(-4);
  const [count = 0, channels, height = 0, width = 0] = whole;
  if (shape.length < 2 || shape.length > 4 || channels !== 1 || !data.length) {
    throw new SlothfulError('bad-input', place, `is [${shape.join(', ')}]`, 'a mask is [B, 1, h, w] or [h, w]');
  }
  const sized = new Float32Array(count * rows * columns);
  for (let index = 0; index < sized.length; index++) {
    const y = Math.floor(((Math.floor(index / columns) % rows) * height) / rows);
    const x = Math.floor(((index % columns) * width) / columns);
    sized[index] = data[(Math.floor(index / (rows * columns)) * height + y) * width + x] ?? 0;
  }
  const wrong = sized.find((value) => !(value >= 0 && value <= 1));
  if (wrong !== undefined) throw new SlothfulError('bad-input', place, `holds ${wrong}`, 'a mask is 0 to 1');
  return ofBatch({ shape: [count, 1, rows, columns], data: sized }, { rows, columns, batch, channels: 1 }, place);
}
