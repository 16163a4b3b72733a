import { type Pass, type PassResult, recordedPasses } from '../graph/index.ts';
import type { ModelFile } from '../models/index.ts';
import { type OutputOptions, readModel, type WrittenModel, writeModelOf } from '../models/node.ts';
import {
  type PassParameters,
  passesInForce,
  readSlothfulMetadata,
  type SlothfulMetadata,
  type SlothfulParameters,
} from '../passes/index.ts';

/** How a patched model is written. */
export interface PatchOptions extends OutputOptions {
  /** Copy the weights where they would be linked. */
  readonly copy?: boolean | undefined;
}

/** What patching a model did. */
export interface PatchedModel extends WrittenModel {
  /** Names of the passes that were applied, in their order, those that they required included. */
  readonly passes: readonly string[];
  /** What each of them did, by name, as the model records it. */
  readonly results: Readonly<Record<string, PassResult>>;
  /** The other passes that the model now has, with their parameters. */
  readonly peers: PassParameters;
  /** Slothful Attention's sites, in the order of the control input's rows; none where it was not among the passes. */
  readonly sites: SlothfulMetadata['sites'];
  /** Slothful Attention's parameters that the model now records. */
  readonly parameters: SlothfulParameters | undefined;
  /** Whether the model had been patched with Slothful Attention before. */
  readonly wasPatched: boolean;
}

/**
 * Patches a model on disk: reads it, applies passes, and writes a model that shares the weights (by hard links) where
 * they lie. The model that is read stays as it is. Of a pipeline's folder the UNet is patched, and the other parts are
 * shared like the weights.
 *
 * `await patchModel('./model', './patched', [slothful({ in_mode: '2D_MAX' })])`
 *
 * @param source folder with a model.json, the model.json itself, the folder of a pipeline, or a model that `readModel` read
 * @param outDir the folder to make, as a whole or not at all
 * @throws SlothfulError `io`, `bad-model`, `bad-graph`, `exists`, and what the passes throw
 */
export async function patchModel(
  source: string | URL | ModelFile,
  outDir: string,
  passes: readonly Pass[],
  options: PatchOptions = {},
): Promise<PatchedModel> {
  const file = typeof source === 'string' || source instanceof URL ? await readModel(source) : source;
  const { graph, place } = file;
  const before = readSlothfulMetadata(graph.metadata, place);
  await file.loadConstants();
  await graph.transform(...passes);
  const after = readSlothfulMetadata(graph.metadata, place);
  const asked = new Set(passes.flatMap(({ name, requires = [] }) => [...requires.map((each) => each.name), name]));
  const applied = recordedPasses(graph).filter(({ name }) => asked.has(name));
  const written = await writeModelOf(file, graph, outDir, options);
  return {
    ...written,
    passes: applied.map(({ name }) => name),
    results: Object.fromEntries(applied.flatMap(({ name, result }) => (result ? [[name, result] as const] : []))),
    peers: passesInForce(graph.metadata),
    sites: after?.sites ?? [],
    parameters: after?.parameters,
    wasPatched: before !== undefined,
  };
}
