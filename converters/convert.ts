import { copyFile, mkdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Graph } from '../src/graph/index.ts';
import { type Checkpoint, type CheckpointKind, openCheckpoint } from './checkpoint/index.ts';
import { type CompanionOptions, type Companions, companionFiles, openCompanions } from './companions.ts';
import { CONTROLNET } from './controlnet/index.ts';
import {
  type ConversionOptions,
  type ConvertSummary,
  type DataSpace,
  reading,
  unetMetadata,
  writeGraph,
} from './model/index.ts';
import {
  buildUNet,
  inferUNetConfig,
  parseUNetConfig,
  UNET,
  type UNetConfig,
  unetModules,
  unetTensors,
} from './unet/index.ts';
import { checkModules, type TensorSource, weightEntries } from './weights/index.ts';

/** How `convertCheckpoint` converts. */
export interface ConvertOptions extends CompanionOptions, ConversionOptions {
  /** What the four channels are: Stable Diffusion's latents, or a picture. */
  dataSpace?: DataSpace;
}

/**
 * What a checkpoint is, by the names of its tensors. A file with a UNet and a ControlNet is a UNet.
 *
 * @throws SlothfulError as `convertCheckpoint` does where it is neither
 */
export async function checkpointKind(source: string, variant?: string): Promise<'unet' | 'controlnet'> {
  let kind: 'unet' | 'controlnet' = 'unet';
  const either: CheckpointKind = {
    ...UNET,
    spelling(names) {
      const unet = UNET.spelling(names);
      if (!unet) kind = 'controlnet';
      return unet ?? CONTROLNET.spelling(names);
    },
    refused: (names) => (UNET.spelling(names) ? undefined : CONTROLNET.refused?.(names)),
  };
  const checkpoint = await openCheckpoint(source, either, { variant });
  await checkpoint.close();
  return kind;
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
  const checkpoint = await openCheckpoint(source, UNET, options);
  try {
    const found = unetTensors(checkpoint);
    const config = configOf(checkpoint, found.tensors, options.config);
    checkModules(unetModules(config), found, checkpoint.path);
    const where = { dtype: options.dtype ?? 'auto', place: checkpoint.path } as const;
    const companions = await openCompanions(found, config, options, where);
    try {
      return await convertWith(
        companions,
        checkpoint,
        config,
        outDir,
        reading(options, source, ...companionFiles(options)),
      );
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
  const { found, ipAdapter, records } = companions;
  const wantsLcm = companions.wantsLcm || config.guidanceDim !== null;
  const { graph, weights } = buildUNet(config, 'slothful convert', { ipAdapter });
  const entries = weightEntries(weights, found, checkpoint.path, options.dtype ?? 'auto');
  const { schedulerConfig } = checkpoint;
  const sampling = { ...checkpoint.sampling.facts, ...options.sampling };
  const dataSpace = options.dataSpace ?? 'latent';
  graph.setMetadata(unetMetadata(config, { schedulerConfig, sampling, dataSpace, wantsLcm, notes: records }));
  const written = await writeGraph(outDir, graph, entries, options, (folder) =>
    carryText(checkpoint.path, folder, graph),
  );
  // What the user says of the prediction needs no note on what the file says of it.
  const told = options.sampling?.prediction_type === undefined ? checkpoint.sampling.notes : [];
  const notes = [...checkpoint.notes, ...told, ...kindNotes(config), ...companions.notes, ...written.notes];
  if (companions.wantsLcm)
    notes.push('an LCM-LoRA is in it: use the LCM sampler with 4 to 8 steps and a guidance scale of 1');
  return { kind: 'unet', family: config.family, ...written, notes };
}

/** What a UNet is that takes more than noise and text: the run needs more of the user, or less. */
function kindNotes({ inChannels, outChannels, guidanceDim }: UNetConfig): string[] {
  const notes: string[] = [];
  if (guidanceDim !== null) {
    const told = 'it is told the guidance scale and guided away from nothing; 4 to 8 steps are enough';
    notes.push(`is a full LCM model (time_cond_proj_dim): ${told}`);
  }
  const more = inChannels - outChannels;
  const takes = `takes ${inChannels} channels and answers ${outChannels}`;
  if (more === outChannels + 1) {
    notes.push(`is an inpainting UNet (${takes}): beside the latent it needs the mask and the masked picture's latent`);
  } else if (more === outChannels) {
    notes.push(`is an image-to-image UNet such as InstructPix2Pix (${takes}): beside the latent it needs a picture's`);
  } else if (more > 0) notes.push(`${takes}: beside the latent it needs ${more} channels more`);
  return notes;
}

function configOf(checkpoint: Checkpoint, tensors: ReadonlyMap<string, TensorSource>, given: unknown): UNetConfig {
  if (given !== undefined) return parseUNetConfig(given, '--config');
  if (checkpoint.config !== undefined) return parseUNetConfig(checkpoint.config, join(checkpoint.path, 'config.json'));
  return inferUNetConfig(tensors, checkpoint.path);
}

const TEXT_FILES = ['vocab.json', 'embeddings.safetensors'] as const;

/**
 * Takes a pipeline's text table along: `text/vocab.json` and `text/embeddings.safetensors`, from which prompts of small
 * models are made without a text encoder. Does nothing where the checkpoint has none.
 */
async function carryText(checkpoint: string, folder: string, graph: Graph): Promise<void> {
  const sources = TEXT_FILES.map((file) => join(checkpoint, 'text', file));
  const found = await Promise.all(
    sources.map((path) =>
      stat(path).then(
        (entry) => entry.isFile(),
        () => false,
      ),
    ),
  );
  if (!found.every(Boolean)) return;
  await mkdir(join(folder, 'text'), { recursive: true });
  await Promise.all(TEXT_FILES.map((file, index) => copyFile(sources[index] ?? '', join(folder, 'text', file))));
  graph.setMetadata({
    ...graph.metadata,
    text: { vocab: 'text/vocab.json', embeddings: 'text/embeddings.safetensors' },
  });
}
