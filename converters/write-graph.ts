import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { constantBytes, type Graph, sizeOf } from '../src/graph/index.ts';
import type { WeightEntry } from './weights/entry.ts';
import { writeWeights } from './weights/writer.ts';

/** How weights are cut into files, and who hears of it; bytes. */
export interface ShardOptions {
  shardBytes?: number | undefined;
  onProgress?: ((progress: { done: number; total: number }) => void) | undefined;
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
}

/** Small constants go first, so that readers of shapes and scales need the start of the first shard only. */
function constantEntries(graph: Graph): WeightEntry[] {
  return [...graph.addedConstants].map(([name, constant]) => ({
    spec: { name, shape: constant.shape, dtype: constant.dtype },
    produce: async () => constantBytes(constant),
  }));
}

/** Writes `model.json` and the shards of a graph into an existing folder. */
export async function writeGraph(
  dir: string,
  graph: Graph,
  weights: readonly WeightEntry[],
  { shardBytes, onProgress }: ShardOptions,
): Promise<WrittenGraph> {
  let bytes = 0;
  const groups = await writeWeights(dir, [...constantEntries(graph), ...weights], {
    ...(shardBytes === undefined ? {} : { shardBytes }),
    onProgress: (progress) => {
      bytes = progress.done;
      onProgress?.(progress);
    },
  });
  graph.setWeightGroups(groups);
  await writeFile(join(dir, 'model.json'), JSON.stringify(graph.toJson()));
  const parameters = weights.reduce((sum, { spec }) => sum + sizeOf(spec.shape), 0);
  return { nodes: graph.size, weights: weights.length, parameters, bytes, shards: groups.length };
}
