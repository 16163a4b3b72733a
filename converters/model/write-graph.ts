import { constantBytes, type Graph, sizeOf } from '../../src/graph/index.ts';
import { atomicDirectory, writeModelJson } from '../../src/models/node.ts';
import type { SamplingFacts } from '../checkpoint/index.ts';
import { type DtypeChoice, flawNotes, type ShardOptions, type WeightEntry, writeWeights } from '../weights/index.ts';

/** What every conversion can be told. */
export interface ConversionOptions extends ShardOptions {
  /** How weights are stored: `auto` (default) keeps what the checkpoint has. */
  dtype?: DtypeChoice;
  /** A diffusers config (parsed JSON), for what tensors cannot tell. Goes before the checkpoint's own. */
  config?: unknown;
  /** How the model answers and which noise it knows, where the user says so. Goes before all that its files say. */
  sampling?: SamplingFacts;
  /** Which variant of a folder's files (`fp16`); `''` for the plain one. */
  variant?: string;
  /** Replace an existing output, if all of it is a model's. */
  force?: boolean;
  /** Files that the caller has read for it (a config), which the output may not hold. */
  inputs?: readonly string[];
  /** It is one part of a pipeline whose other parts are converted too: nothing is said of their tensors. */
  isPart?: boolean;
}

/** The options of a conversion that reads these files and folders, none of which its output may be or hold. */
export function reading<T extends ConversionOptions>(options: T, ...inputs: readonly (string | undefined)[]): T {
  return { ...options, inputs: [...(options.inputs ?? []), ...inputs.filter((path) => path !== undefined)] };
}

/** What was written. */
export interface WrittenGraph {
  nodes: number;
  weights: number;
  /** Number of parameters. */
  parameters: number;
  /** Bytes of all shards. */
  bytes: number;
  shards: number;
  /** What the weights have that users may want to know of, one line each. */
  notes: string[];
}

/** What was converted and written. */
export interface ConvertSummary extends WrittenGraph {
  kind: 'unet' | 'controlnet' | 'text_encoder' | 'vae_decoder' | 'vae_encoder' | 'taesd_decoder' | 'taesd_encoder';
  family: string;
  /** Choices that were made for the user, and what is wrong with the weights, one line each. */
  notes: string[];
}

/** Small constants go first, so that readers of shapes and scales need the start of the first shard only. */
function constantEntries(graph: Graph): WeightEntry[] {
  return [...graph.addedConstants].map(([name, constant]) => ({
    spec: { name, shape: constant.shape, dtype: constant.dtype },
    produce: async () => constantBytes(constant),
  }));
}

/**
 * Writes the model of a graph to a folder, as a whole or not at all: its shards, then its model.json.
 *
 * @param addFiles writes what else belongs to the model, and may add to the graph's metadata
 * @throws SlothfulError `exists`, `io`, and whatever the weights throw
 */
export async function writeGraph(
  outDir: string,
  graph: Graph,
  weights: readonly WeightEntry[],
  { force, inputs, shardBytes, onProgress }: ConversionOptions,
  addFiles?: (folder: string) => Promise<void>,
): Promise<WrittenGraph> {
  let bytes = 0;
  const onBytes: ShardOptions['onProgress'] = (progress) => {
    bytes = progress.done;
    onProgress?.(progress);
  };
  return atomicDirectory(outDir, { force, inputs }, async (folder) => {
    await addFiles?.(folder);
    const entries = [...constantEntries(graph), ...weights];
    graph.setWeightGroups(await writeWeights(folder, entries, { shardBytes, onProgress: onBytes }));
    await writeModelJson(graph, folder);
    const parameters = weights.reduce((sum, { spec }) => sum + sizeOf(spec.shape), 0);
    const notes = flawNotes(weights.flatMap((weight) => weight.flaw?.() ?? []));
    return { nodes: graph.size, weights: weights.length, parameters, bytes, shards: graph.weightGroups.length, notes };
  });
}
