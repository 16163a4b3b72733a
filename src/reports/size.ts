import { probeShapes } from '../attention/index.ts';
import { SlothfulError } from '../errors.ts';
import { type Graph, type GraphNode, type InputShapes, readShape } from '../graph/index.ts';
import { unetField } from '../models/index.ts';
import type { ReportSize } from './report-parts.ts';

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

/** How many pixels of the picture one pixel of the sample stands for, by side: 8 for latents, 1 for pictures. */
export function pixelScale(graph: Graph): number {
  const space = graph.metadata.data_space;
  return space === undefined || space === 'latent' ? LATENT_SCALE : 1;
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
  const own = sampleSizeOf(graph);
  const wanted: RunSize = {
    rows: asked.rows ?? own,
    columns: asked.columns ?? own,
    batch: asked.batch ?? 1,
    contextTokens: asked.contextTokens ?? SD_CONTEXT,
  };
  const inputShapes = probeShapes(graph, { ...wanted, tokens: wanted.contextTokens });
  const size = actualSize(graph, inputShapes, wanted);
  checkSize(size);
  for (const name of ['rows', 'columns', 'batch', 'contextTokens'] as const) {
    if (asked[name] === undefined || asked[name] === size[name]) continue;
    const problem = `the model takes ${size[name]} only, not ${asked[name]}`;
    throw new SlothfulError('bad-input', `size (${name})`, problem, 'its inputs have fixed shapes');
  }
  return { size, inputShapes };
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

function sampleSizeOf({ metadata }: Graph): number {
  const size = unetField(metadata, 'sample_size');
  return typeof size === 'number' && Number.isInteger(size) && size > 0 ? size : SD_SIZE;
}

/** The placeholder that holds the noisy sample: the one of that name, or else the first of rank 4. */
export function sampleInput(graph: Graph): GraphNode | undefined {
  const images = [...graph.nodes].filter(
    ({ op, attributes }) => op === 'Placeholder' && readShape(attributes, 'shape')?.length === 4,
  );
  return images.find(({ name }) => name === 'sample') ?? images[0];
}

function contextInput(graph: Graph): GraphNode | undefined {
  const texts = [...graph.nodes].filter(
    ({ op, attributes }) => op === 'Placeholder' && readShape(attributes, 'shape')?.length === 3,
  );
  return texts.find(({ name }) => name === 'encoder_hidden_states') ?? texts[0];
}

/** What the shapes come to where the graph fixes some of them. */
function actualSize(graph: Graph, shapes: InputShapes, wanted: RunSize): RunSize {
  const [batch = wanted.batch, rows = wanted.rows, columns = wanted.columns] =
    shapes[sampleInput(graph)?.name ?? ''] ?? [];
  const [, contextTokens = wanted.contextTokens] = shapes[contextInput(graph)?.name ?? ''] ?? [];
  return { batch, rows, columns, contextTokens };
}
