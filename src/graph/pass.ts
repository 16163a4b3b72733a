import type { Graph } from './graph.ts';
import { checkGraph } from './lint.ts';

/** A named change of a graph: a value, made by a function of its options, run by `graph.transform`. */
export interface Pass {
  /** Name under which the pass is recorded in the model's metadata. */
  readonly name: string;
  readonly version: number;
  /** Options as JSON, recorded beside the name. */
  readonly options: unknown;
  /** Changes the graph. @throws SlothfulError when it cannot; the caller's document then stays as it was */
  apply(graph: Graph): void | Promise<void>;
}

/** What `transform` records of a pass. */
export interface PassRecord {
  name: string;
  version: number;
  options: unknown;
}

/** The passes that a model has been through, oldest first. */
export function recordedPasses(graph: Graph): PassRecord[] {
  const passes = graph.metadata.passes;
  return Array.isArray(passes) ? passes.filter(isRecord) : [];
}

function isRecord(value: unknown): value is PassRecord {
  return typeof value === 'object' && value !== null && 'name' in value && typeof value.name === 'string';
}

/** Runs passes one after the other on the graph it is given, linting before the first and after each. */
export async function runPasses(graph: Graph, passes: readonly Pass[]): Promise<Graph> {
  checkGraph(graph, 'before the first pass');
  for (const pass of passes) {
    await pass.apply(graph);
    const others = recordedPasses(graph).filter(({ name }) => name !== pass.name);
    const record: PassRecord = { name: pass.name, version: pass.version, options: pass.options };
    graph.setMetadata({ ...graph.metadata, passes: [...others, record] });
    checkGraph(graph, `after the pass "${pass.name}"`);
  }
  return graph;
}
