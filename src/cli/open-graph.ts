import { messageOf } from '../errors.ts';
import type { Graph } from '../graph/index.ts';
import { type ModelFile, readModel } from '../io/index.ts';

/** A model that is to be looked at, not run. */
export interface OpenedGraph {
  readonly graph: Graph;
  readonly file: ModelFile;
  /** What could not be read, in words. */
  readonly notes: readonly string[];
}

/**
 * Opens the document of a model with the values of its small constants. Weights need not be there: constants that
 * cannot be read then stay unknown, and a note says so.
 *
 * @throws SlothfulError `io`, `bad-model`, `bad-graph`
 */
export async function openGraph(source: string): Promise<OpenedGraph> {
  const file = await readModel(source);
  const { graph } = file;
  try {
    await file.loadConstants();
    return { graph, file, notes: [] };
  } catch (error) {
    return { graph, file, notes: [`constants were not read: ${messageOf(error)}`] };
  }
}
