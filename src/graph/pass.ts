import type { GraphView, JsonObject } from './document.ts';
import { checkCompatible, type Effective, type Effects, readEffects } from './effects.ts';
import { checkGraph } from './lint.ts';

/** What the running of passes itself needs of a document. */
interface Recorded extends GraphView {
  setMetadata(metadata: JsonObject): void;
}

/** A named change of documents of one class; for users there is one, and `Pass` is a change of it. */
export interface PassOf<Document> {
  /** Name under which the pass is recorded in the model's metadata. */
  readonly name: string;
  readonly version: number;
  /** Options as JSON, recorded beside the name. */
  readonly options: unknown;
  /** What it changes and relies on: passes that do not go together are refused before anything changes. */
  readonly effects?: Effects;
  /** Passes that must have run before it; those that the graph has not been through are run first. */
  readonly requires?: ReadonlyArray<PassOf<Document>>;
  /**
   * Changes the graph.
   *
   * @returns what it did, a JSON object, or a promise of one, to be recorded beside its options; all else is not recorded
   * @throws SlothfulError when it cannot; the caller's document then stays as it was
   */
  apply(graph: Document): unknown;
}

/** What a pass did, as JSON. */
export type PassResult = Readonly<Record<string, unknown>>;

/** What `transform` records of a pass. */
export interface PassRecord {
  name: string;
  version: number;
  options: unknown;
  effects?: Effects;
  result?: PassResult;
}

/** The passes that a model has been through, oldest first. */
export function recordedPasses(graph: GraphView): PassRecord[] {
  const passes = graph.metadata.passes;
  return Array.isArray(passes) ? passes.filter(isRecord) : [];
}

function isRecord(value: unknown): value is PassRecord {
  return typeof value === 'object' && value !== null && 'name' in value && typeof value.name === 'string';
}

function isResult(value: unknown): value is PassResult {
  return typeof value === 'object' && value !== null;
}

/** Every pass with every one before it, those that the model has been through included. */
function checkOrder(graph: GraphView, passes: ReadonlyArray<PassOf<never>>): void {
  const before: Effective[] = recordedPasses(graph).map(({ name, effects }) => ({
    name,
    effects: readEffects(effects),
  }));
  for (const pass of passes) {
    for (const earlier of before) checkCompatible(earlier, pass);
    before.push(pass);
  }
}

/**
 * Runs passes one after the other on the graph it is given, linting before the first and after each.
 *
 * @throws SlothfulError `unsupported` before anything changes, where two passes do not go together
 */
export async function runPasses<Document extends Recorded>(
  graph: Document,
  passes: ReadonlyArray<PassOf<Document>>,
): Promise<Document> {
  const all = withRequired(graph, passes);
  checkOrder(graph, all);
  checkGraph(graph, 'before the first pass');
  for (const pass of all) {
    const result = await pass.apply(graph);
    const others = recordedPasses(graph).filter(({ name }) => name !== pass.name);
    const { name, version, options, effects } = pass;
    const record = { name, version, options, ...(effects ? { effects } : {}), ...(isResult(result) ? { result } : {}) };
    graph.setMetadata({ ...graph.metadata, passes: [...others, record] });
    checkGraph(graph, `after the pass "${pass.name}"`);
  }
  return graph;
}

/** The passes with those that they require and the graph has not been through, in an order in which they can run. */
function withRequired<Document extends Recorded>(
  graph: Document,
  passes: ReadonlyArray<PassOf<Document>>,
): PassOf<Document>[] {
  const done = new Set(recordedPasses(graph).map(({ name }) => name));
  return passes.flatMap((pass) => {
    const missing = withRequired(graph, pass.requires ?? []).filter(({ name }) => !done.has(name));
    for (const { name } of [...missing, pass]) done.add(name);
    return [...missing, pass];
  });
}
