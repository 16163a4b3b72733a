import { join } from 'node:path';
import { atomicDirectory } from '../src/models/index.ts';
import { inferUNetConfig } from './checkpoint/infer-config.ts';
import { type Checkpoint, openCheckpoint } from './checkpoint/open.ts';
import { unetTensors } from './checkpoint/unet-tensors.ts';
import { type CompanionOptions, type Companions, openCompanions } from './companions.ts';
import { type DataSpace, unetMetadata } from './metadata.ts';
import { carryText } from './text-table.ts';
import { buildUNet } from './unet/build.ts';
import { parseUNetConfig, type UNetConfig } from './unet/config.ts';
import { type DtypeChoice, weightEntries } from './unet/plan.ts';
import type { TensorSource } from './weights/entry.ts';
import { type ShardOptions, type WrittenGraph, writeGraph } from './write-graph.ts';

export interface ConvertOptions extends CompanionOptions, ShardOptions {
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
}

/** What was converted and written. */
export interface ConvertSummary extends WrittenGraph {
  kind: 'unet' | 'controlnet';
  family: string;
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
  const checkpoint = await openCheckpoint(source, { variant: options.variant });
  try {
    const found = unetTensors(checkpoint);
    const config = configOf(checkpoint, found.tensors, options.config);
    const where = { dtype: options.dtype ?? 'auto', place: checkpoint.path } as const;
    const companions = await openCompanions(found, config, options, where);
    try {
      return await convertWith(companions, checkpoint, config, outDir, options);
    } finally {
      await companions.close();
    }
  } finally {
    await checkpoint.close();
  }
}

async function convertWith(
  companions: Companions,
  checkpoint: Checkpoint,
  config: UNetConfig,
  outDir: string,
  options: ConvertOptions,
): Promise<ConvertSummary> {
  const { found, ipAdapter, records, wantsLcm } = companions;
  const { graph, weights } = buildUNet(config, 'slothful convert', { ipAdapter });
  const entries = weightEntries(weights, found, checkpoint.path, options.dtype ?? 'auto');
  const { schedulerConfig } = checkpoint;
  const dataSpace = options.dataSpace ?? 'latent';
  graph.setMetadata(unetMetadata(config, { schedulerConfig, dataSpace, wantsLcm, notes: records }));
  const written = await atomicDirectory(outDir, { force: options.force ?? false }, async (dir) => {
    await carryText(checkpoint.path, dir, graph);
    return writeGraph(dir, graph, entries, options);
  });
  const notes = [...checkpoint.notes, ...companions.notes];
  if (wantsLcm) notes.push('an LCM-LoRA is in it: use the LCM sampler with 4 to 8 steps and a guidance scale of 1');
  return { kind: 'unet', family: config.family, ...written, notes };
}

function configOf(checkpoint: Checkpoint, tensors: ReadonlyMap<string, TensorSource>, given: unknown): UNetConfig {
  if (given !== undefined) return parseUNetConfig(given, '--config');
  if (checkpoint.config !== undefined) return parseUNetConfig(checkpoint.config, join(checkpoint.path, 'config.json'));
  return inferUNetConfig(tensors, checkpoint.path);
}
