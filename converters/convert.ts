import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { constantBytes, type Graph, sizeOf } from '../src/graph/index.ts';
import { atomicDirectory } from '../src/io/index.ts';
import { inferUNetConfig } from './checkpoint/infer-config.ts';
import { type Checkpoint, openCheckpoint } from './checkpoint/open.ts';
import { unetTensors } from './checkpoint/unet-tensors.ts';
import { type DataSpace, unetMetadata } from './metadata.ts';
import { carryText } from './text-table.ts';
import { buildUNet } from './unet/build.ts';
import { parseUNetConfig, type UNetConfig } from './unet/config.ts';
import { type DtypeChoice, weightEntries } from './unet/plan.ts';
import type { TensorSource, WeightEntry } from './weights/entry.ts';
import { writeWeights } from './weights/writer.ts';

export interface ConvertOptions {
  /** How weights are stored: `auto` (default) keeps what the checkpoint has. */
  dtype?: DtypeChoice;
  /** A diffusers config (parsed JSON), for what tensors cannot tell. Goes before the checkpoint's own. */
  config?: unknown;
  /** Which variant of a folder's files (`fp16`); `''` for the plain one. */
  variant?: string;
  /** Replace an existing output. */
  force?: boolean;
  /** What the four channels are: Stable Diffusion's latents, or a picture. */
  dataSpace?: DataSpace;
  shardBytes?: number;
  onProgress?: (progress: { done: number; total: number }) => void;
}

/** What was written. */
export interface ConvertSummary {
  family: string;
  nodes: number;
  weights: number;
  /** Number of parameters. */
  parameters: number;
  /** Bytes of all shards. */
  bytes: number;
  shards: number;
  /** Choices that were made for the user, one line each. */
  notes: string[];
}

/**
 * Converts a Stable Diffusion UNet to a TF.js graph model of stock ops, streaming: one tensor in memory at a time.
 *
 * @param source a diffusers UNet or pipeline folder, or a single .safetensors file (LDM or diffusers names)
 * @param outDir where `model.json` and its shards go; written under a temporary name first
 * @throws SlothfulError `bad-checkpoint`, `unsupported`, `exists`, `io`
 */
export async function convertCheckpoint(
  source: string,
  outDir: string,
  options: ConvertOptions = {},
): Promise<ConvertSummary> {
  const checkpoint = await openCheckpoint(source, options.variant === undefined ? {} : { variant: options.variant });
  try {
    const found = unetTensors(checkpoint);
    const config = configOf(checkpoint, found.tensors, options.config);
    const { graph, weights } = buildUNet(config, 'slothful convert');
    const entries = weightEntries(weights, found, checkpoint.path, options.dtype ?? 'auto');
    graph.setMetadata(
      unetMetadata(config, {
        schedulerConfig: checkpoint.schedulerConfig,
        dataSpace: options.dataSpace ?? 'latent',
        layout: checkpoint.layout,
      }),
    );
    const bytes = await atomicDirectory(outDir, { force: options.force ?? false }, async (dir) => {
      await carryText(checkpoint.path, dir, graph);
      return writeGraph(dir, graph, entries, options);
    });
    return summarise(config, graph, entries, bytes, checkpoint.notes);
  } finally {
    await checkpoint.close();
  }
}

function configOf(checkpoint: Checkpoint, tensors: ReadonlyMap<string, TensorSource>, given: unknown): UNetConfig {
  if (given !== undefined) return parseUNetConfig(given, '--config');
  if (checkpoint.config !== undefined) return parseUNetConfig(checkpoint.config, join(checkpoint.path, 'config.json'));
  return inferUNetConfig(tensors, checkpoint.path);
}

/** Small constants go first, so that readers of shapes and scales need the start of the first shard only. */
function constantEntries(graph: Graph): WeightEntry[] {
  return [...graph.addedConstants].map(([name, constant]) => ({
    spec: { name, shape: constant.shape, dtype: constant.dtype },
    produce: async () => constantBytes(constant),
  }));
}

async function writeGraph(
  dir: string,
  graph: Graph,
  weights: readonly WeightEntry[],
  { shardBytes, onProgress }: ConvertOptions,
): Promise<{ bytes: number; shards: number }> {
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
  return { bytes, shards: groups.length };
}

function summarise(
  config: UNetConfig,
  graph: Graph,
  entries: readonly WeightEntry[],
  written: { bytes: number; shards: number },
  notes: readonly string[],
): ConvertSummary {
  const parameters = entries.reduce((sum, { spec }) => sum + sizeOf(spec.shape), 0);
  return {
    family: config.family,
    nodes: graph.size,
    weights: entries.length,
    parameters,
    ...written,
    notes: [...notes],
  };
}
