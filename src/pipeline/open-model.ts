import { messageOf, SlothfulError } from '../errors.ts';
import { type Graph, isSmall } from '../graph/index.ts';
import { isAddress, ModelFile } from '../models/index.ts';
import { readSlothfulMetadata, type SlothfulMetadata } from '../passes/slothful/index.ts';
import { isParameter, pixelScale, type RunSize, resolveSize } from '../reports/index.ts';
import type { ModelSource, ModelStore, Platform } from '../runtime/index.ts';
import type { PictureSize, RunExtent } from '../sampling/index.ts';

/** A model that is to be looked at: its document is read with the small constants in it, its weights are not. */
export interface OpenedDocument {
  /** Path or URL of the model.json. */
  readonly place: string;
  readonly graph: Graph;
  readonly file: ModelFile;
  /** What a patched model says of its patch. */
  readonly patch: SlothfulMetadata | undefined;
  /** Names of the inputs. */
  readonly inputs: readonly string[];
  /** What could not be read, in words. */
  readonly notes: readonly string[];
}

/** A model that is to be run. */
export interface OpenedModel extends OpenedDocument {
  /** Where the model, and what goes with it, is loaded from and computed on. */
  readonly platform: Platform;
}

/**
 * Opens the document of a model. Weights need not be there: constants that cannot be read then stay unknown, and a note
 * says so where any shape or scale is among them.
 *
 * @throws SlothfulError `io`, `bad-model`, `bad-graph`
 */
export async function openDocumentIn(store: ModelStore): Promise<OpenedDocument> {
  const file = await ModelFile.open(store);
  const { graph, place } = file;
  const notes = await readConstants(file);
  const patch = readSlothfulMetadata(graph.metadata, place);
  const inputs = [...graph.nodes].filter(({ op }) => op.startsWith('Placeholder')).map(({ name }) => name);
  return { place, graph, file, patch, inputs, notes };
}

/** `openModel` of the package's entries is this with the platform filled in. */
export async function openModelOn(platform: Platform, source: ModelSource): Promise<OpenedModel> {
  const store = isAddress(source) ? await platform.openStore(source) : source;
  return { ...(await openDocumentIn(store)), platform };
}

async function readConstants(file: ModelFile): Promise<string[]> {
  const unknown = unknownConstants(file.graph);
  if (!unknown) return [];
  try {
    await file.loadConstants();
    return [];
  } catch (error) {
    return [`the values of ${unknown} constants were not read: ${messageOf(error)}`];
  }
}

/** How many constants of the graph's logic the document does not hold; small biases and the like do not matter here. */
function unknownConstants(graph: Graph): number {
  const specs = graph.weightGroups.flatMap(({ weights }) => weights);
  return specs.filter((spec) => {
    const isConstant = graph.node(spec.name)?.op === 'Const' && isSmall(spec) && !isParameter(graph, spec);
    return isConstant && graph.constant(spec.name) === undefined;
  }).length;
}

/**
 * The size of the sample that a picture is made of.
 *
 * @throws SlothfulError `usage` for pixels that do not make a whole sample
 */
export function sampleSize({ width, height }: PictureSize, graph: Graph): { rows: number; columns: number } {
  const scale = pixelScale(graph);
  if (width % scale || height % scale) {
    const nearest = [width, height].map((pixels) => Math.max(1, Math.round(pixels / scale)) * scale);
    const problem = `${width}x${height} is not a multiple of ${scale} pixels`;
    throw new SlothfulError('usage', '--size', problem, `${nearest.join('x')} is near it`);
  }
  return { rows: height / scale, columns: width / scale };
}

/** A size that is asked of a run, in pixels of the picture or of the sample; what is left open is the model's own. */
export interface AskedExtent {
  readonly size?: PictureSize | undefined;
  /** Of the sample, where no `size` is given. */
  readonly rows?: number | undefined;
  readonly columns?: number | undefined;
  /** Images at once, default 1; guidance doubles what the model evaluates. */
  readonly batch?: number | undefined;
}

/**
 * How large a run of a model is.
 *
 * @throws SlothfulError `bad-input` for a size that it cannot have, `usage` for pixels that do not make a whole sample
 */
export function extentOf({ graph }: Pick<OpenedModel, 'graph'>, asked: AskedExtent = {}): RunExtent {
  const { rows, columns } = asked.size ? sampleSize(asked.size, graph) : asked;
  const given: Partial<RunSize> = {
    ...(rows === undefined ? {} : { rows }),
    ...(columns === undefined ? {} : { columns }),
    ...(asked.batch === undefined ? {} : { batch: asked.batch }),
  };
  const { size } = resolveSize(graph, given);
  return { rows: size.rows, columns: size.columns, batch: asked.batch ?? 1, scale: pixelScale(graph) };
}

/** Size of the picture that a run makes. */
export function pixelsOf({ rows, columns, scale }: RunExtent): PictureSize {
  return { width: columns * scale, height: rows * scale };
}
