import { messageOf } from '../../errors.ts';
import { type Graph, isSmall } from '../../graph/index.ts';
import { type ModelFile, readModel } from '../../models/node.ts';
import { isParameter } from '../../reports/index.ts';

/** A model that is to be looked at, not run. */
export interface OpenedGraph {
  readonly graph: Graph;
  readonly file: ModelFile;
  /** What could not be read, in words. */
  readonly notes: readonly string[];
}

/**
 * Opens the document of a model with the values of its small constants. Weights need not be there: constants that
 * cannot be read then stay unknown, and a note says so where any shape or scale is among them.
 *
 * @throws SlothfulError `io`, `bad-model`, `bad-graph`
 */
export async function openGraph(source: string): Promise<OpenedGraph> {
  const file = await readModel(source);
  const { graph } = file;
  const unknown = unknownConstants(graph);
  if (!unknown) return { graph, file, notes: [] };
  try {
    await file.loadConstants();
    return { graph, file, notes: [] };
  } catch (error) {
    return { graph, file, notes: [`the values of ${unknown} constants were not read: ${messageOf(error)}`] };
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
