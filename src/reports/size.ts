import { probeShapes } from '../attention/index.ts';
import { SlothfulError } from '../errors.ts';
import type { Graph, InputShapes } from '../graph/index.ts';
import { unetField } from '../models/index.ts';
import { channelsOf, pictureInput, textInput } from './model-inputs.ts';
import type { LookSize, ReportSize } from './report-parts.ts';

/** The size at which a model is looked at. */
export interface RunSize {
  /** Rows and columns of the sample, in its own pixels. */
  readonly rows: number;
  readonly columns: number;
  /** Samples that are evaluated at once; guidance doubles them. */
  readonly batch: number;
  /** Tokens of the text. */
  readonly contextTokens: number;
}

/** A size that a graph can have, and the input shapes that it means. */
export interface ResolvedSize {
  readonly size: RunSize;
  readonly inputShapes: InputShapes;
}

const SD_SIZE = 64;
const SD_CONTEXT = 77;
/** Pixels of the picture for one of the latent, by side. */
const LATENT_SCALE = 8;
const PICTURE_CHANNELS: readonly number[] = [1, 3];

/**
 * How many pixels of the picture one pixel of the sample stands for, by side: 8 for latents, 1 for pictures. Where the metadata
 * do not say, what enters in 1 or 3 channels is a picture: grey, or red, green and blue.
 */
export function pixelScale(graph: Graph): number {
  const space = graph.metadata.data_space;
  if (space !== undefined) return space === 'latent' ? LATENT_SCALE : 1;
  const picture = pictureInput(graph);
  return picture && PICTURE_CHANNELS.includes(channelsOf(picture)) ? 1 : LATENT_SCALE;
}

/** A size as reports of any model have it: null for what the model has not. */
export function lookSize(graph: Graph, size: RunSize): LookSize {
  const { rows, columns, batch, context_tokens, pixels } = reportSize(graph, size);
  const hasText = textInput(graph) !== undefined;
  const tokens = hasText ? context_tokens : null;
  if (!pictureInput(graph)) return { rows: null, columns: null, batch, context_tokens: tokens, pixels: null };
  return { rows, columns, batch, context_tokens: tokens, pixels };
}

/** What of a size nobody said, neither the caller nor the model, in words with the option that says it. */
export function assumedSizes(graph: Graph, asked: Partial<RunSize> = {}): string[] {
  const { size } = resolveSize(graph, asked);
  const picture = pictureInput(graph);
  const isOpen = ({ shape, layout }: NonNullable<typeof picture>) =>
    (layout === 'nchw' ? shape.slice(2) : shape.slice(1, 3)).some((extent) => extent < 0);
  const isAsked = asked.rows !== undefined && asked.columns !== undefined;
  const notes: string[] = [];
  if (picture && isOpen(picture) && !isAsked && ownSampleSize(graph) === undefined) {
    const options = pixelScale(graph) === 1 ? '--size' : '--size or --latent';
    notes.push(`it takes pictures of any size; ${size.rows} x ${size.columns} is assumed (${options} gives another)`);
  }
  const text = textInput(graph);
  const isKnown = asked.contextTokens !== undefined || typeof graph.metadata.family === 'string';
  if (text && (text.shape[1] ?? -1) < 0 && !isKnown) {
    notes.push(`it takes text of any length; ${size.contextTokens} tokens are assumed (--context-tokens gives others)`);
  }
  return notes;
}

/** A size as reports have it. */
export function reportSize(graph: Graph, { rows, columns, batch, contextTokens }: RunSize): ReportSize {
  const scale = pixelScale(graph);
  const pixels = { width: columns * scale, height: rows * scale };
  return { rows, columns, batch, context_tokens: contextTokens, pixels };
}

/**
 * The size asked for, completed by the model's own: its metadata's, or what its inputs fix.
 *
 * @throws SlothfulError `bad-input` for numbers that are not sizes, or where the graph fixes another size than was asked
 */
export function resolveSize(graph: Graph, asked: Partial<RunSize> = {}): ResolvedSize {
  for (const [name, value] of Object.entries(asked)) checkCount(name, value);
  const own = ownSampleSize(graph) ?? SD_SIZE;
  const wanted: RunSize = {
    rows: asked.rows ?? own,
    columns: asked.columns ?? own,
    batch: asked.batch ?? 1,
    contextTokens: asked.contextTokens ?? SD_CONTEXT,
  };
  const inputShapes = probeShapes(graph, { ...wanted, tokens: wanted.contextTokens });
  const size = actualSize(graph, inputShapes, wanted);
  checkSize(size);
  checkTaken(graph, asked, size);
  return { size, inputShapes };
}

/** @throws SlothfulError `bad-input` where a graph fixes another size than was asked, with the options that fit */
function checkTaken(graph: Graph, asked: Partial<RunSize>, size: RunSize): void {
  const isOther = (name: keyof RunSize) => asked[name] !== undefined && asked[name] !== size[name];
  const { rows, columns, batch, contextTokens } = size;
  if (isOther('rows') || isOther('columns')) {
    const scale = pixelScale(graph);
    const pixels = `--size ${columns * scale}x${rows * scale}`;
    const problem = `the model takes ${rows} x ${columns} only, not ${asked.rows ?? rows} x ${asked.columns ?? columns}`;
    const fits = scale === 1 ? pixels : `${pixels} or --latent ${rows}x${columns}`;
    throw new SlothfulError('bad-input', 'size', problem, `its inputs have fixed shapes: ask for ${fits}`);
  }
  if (isOther('batch')) refuse('batch', batch, asked.batch, '--batch');
  if (isOther('contextTokens')) refuse('contextTokens', contextTokens, asked.contextTokens, '--context-tokens');
}

function refuse(name: string, taken: number, asked: number | undefined, flag: string): never {
  const problem = `the model takes ${taken} only, not ${asked}`;
  const cure = `its inputs have fixed shapes: ask for ${flag} ${taken}`;
  throw new SlothfulError('bad-input', `size (${name})`, problem, cure);
}

function checkCount(name: string, value: number | undefined): void {
  if (value === undefined || (Number.isInteger(value) && value >= 1 && value <= 65_536)) return;
  throw new SlothfulError('bad-input', `size (${name})`, `must be a whole number from 1 to 65536, got ${value}`);
}

/** Most pixels of a sample, 4096 x 4096: what is computed for it takes more than any machine has long before. */
const MOST_PIXELS = 2 ** 24;

/** @throws SlothfulError `bad-input` where a graph fixes what is no size, or a sample is larger than any is */
function checkSize(size: RunSize): void {
  for (const [name, value] of Object.entries(size)) checkCount(name, value);
  const { rows, columns } = size;
  if (rows * columns <= MOST_PIXELS) return;
  const problem = `a sample of ${rows} x ${columns} has ${rows * columns} pixels, at most ${MOST_PIXELS} can be`;
  throw new SlothfulError('bad-input', 'size', problem, 'ask for a smaller picture');
}

function ownSampleSize({ metadata }: Graph): number | undefined {
  const size = unetField(metadata, 'sample_size');
  return typeof size === 'number' && Number.isInteger(size) && size > 0 ? size : undefined;
}

/** What the shapes come to where the graph fixes some of them. */
function actualSize(graph: Graph, shapes: InputShapes, wanted: RunSize): RunSize {
  const picture = pictureInput(graph);
  const text = textInput(graph);
  const [images, first, second, third] = shapes[picture?.name ?? ''] ?? [];
  const [rows = wanted.rows, columns = wanted.columns] = picture?.layout === 'nchw' ? [second, third] : [first, second];
  const [texts, contextTokens = wanted.contextTokens] = shapes[text?.name ?? ''] ?? [];
  const [others] = picture || text ? [] : (Object.values(shapes)[0] ?? []);
  return { batch: images ?? texts ?? others ?? wanted.batch, rows, columns, contextTokens };
}
