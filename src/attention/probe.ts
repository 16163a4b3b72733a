import { type Graph, type GraphNode, type InputShapes, isObject, readShape } from '../graph/index.ts';

/** Sizes that a probe gives to what a graph leaves open: batch, the extents of an image, tokens of a context. */
export interface ProbeSizes {
  readonly batch: number;
  readonly rows: number;
  readonly columns: number;
  readonly tokens: number;
}

/** Not square, so that rows and columns cannot be confused; both divide by 8 as a UNet of four levels likes it. */
export const PROBE: ProbeSizes = { batch: 2, rows: 64, columns: 96, tokens: 77 };

/** A second one, which tells what depends on the sizes from what does not. */
export const OTHER_PROBE: ProbeSizes = { batch: 3, rows: 40, columns: 24, tokens: 53 };

/**
 * Shapes for the inputs of a graph with which its shapes can be inferred: declared sizes are kept, open ones are taken
 * from `sizes`. Inputs without a declared rank, and open channels, are left out.
 */
export function probeShapes(graph: Graph, sizes: ProbeSizes = PROBE): InputShapes {
  const inputs = [...graph.nodes].filter((node) => node.op === 'Placeholder');
  const batch = sharedBatch(inputs) ?? sizes.batch;
  const shapes: Record<string, readonly number[]> = {};
  for (const node of inputs) {
    const declared = readShape(node.attributes, 'shape');
    if (!declared?.length) continue;
    const scale = imageScale(graph, node.name);
    const filled = fill(declared, { ...sizes, batch, rows: scale * sizes.rows, columns: scale * sizes.columns });
    if (filled.every((size) => size >= 0)) shapes[node.name] = filled;
  }
  return shapes;
}

/**
 * How much larger than the sample an input is: a ControlNet's conditioning image comes in pixels, the sample in latents.
 * Its metadata say so, as our converter writes them; for all other inputs 1.
 */
function imageScale({ metadata }: Graph, input: string): number {
  const image = isObject(metadata.image) ? metadata.image : {};
  return image.input === input && typeof image.downscale === 'number' ? image.downscale : 1;
}

/** Exporters that fix the batch fix it in the shapes inside too: an open batch beside a fixed one must agree. */
function sharedBatch(inputs: readonly GraphNode[]): number | undefined {
  const batches = inputs
    .map((node) => readShape(node.attributes, 'shape') ?? [])
    .filter((shape) => shape.length >= 3)
    .map(([batch]) => batch)
    .filter((batch) => batch !== undefined && batch > 0);
  return batches[0];
}

function fill(declared: readonly number[], { batch, rows, columns, tokens }: ProbeSizes): number[] {
  const extents = declared.length === 4 ? [rows, columns] : [tokens];
  return declared.map((size, axis) => {
    if (size >= 0) return size;
    return axis === 0 ? batch : (extents.shift() ?? -1);
  });
}
