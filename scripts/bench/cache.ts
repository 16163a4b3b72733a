import { access, mkdir, rename, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { convertCheckpoint, convertPipeline } from '../../converters/index.ts';
import { familyOrUsual } from '../../src/families/index.ts';
import { PIPELINE_FILE, type PipelineManifest, readPipelineManifest } from '../../src/models/node.ts';
import { FAMILIES, type FamilyName, readFamily } from '../checkpoint/family.ts';
import { familyPipeline } from '../checkpoint/pipeline.ts';
import { type CheckpointLayout, writeCheckpoint, writeLora } from '../checkpoint/write-checkpoint.ts';
import { writePipeline } from '../checkpoint/write-pipeline.ts';
import type { Log } from './row.ts';

/** How each family's checkpoints mostly come: as folders, SDXL as one file. */
const layoutOf = (family: FamilyName): CheckpointLayout => (family === 'sdxl' ? 'ldm' : 'diffusers');

/** A full-size checkpoint with random weights. */
export interface CachedCheckpoint {
  /** What is converted. */
  readonly path: string;
  /** The file that has the weights. */
  readonly file: string;
  readonly bytes: number;
  readonly parameters: number;
}

/** Where generated checkpoints and converted models are kept: outside of the repository. */
export function cacheFolder(): string {
  return join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'slothful-attention', 'bench');
}

/** Removes all that the benchmark keeps. */
export async function cleanCache(): Promise<void> {
  await rm(cacheFolder(), { recursive: true, force: true });
}

/** Removes what is kept of the other families: one of them at a time is enough for a disk. */
export async function keepOnly(family: FamilyName): Promise<void> {
  for (const other of FAMILIES) {
    if (other !== family) await rm(join(cacheFolder(), other), { recursive: true, force: true });
  }
}

/** The family's checkpoint in F16, made now where it is not there yet. */
export async function checkpointOf(family: FamilyName, log: Log): Promise<CachedCheckpoint> {
  const folder = join(cacheFolder(), family, 'checkpoint');
  const layout = layoutOf(family);
  const file = join(folder, layout === 'ldm' ? 'model.safetensors' : 'diffusion_pytorch_model.safetensors');
  const { config, tensors, parameters } = await readFamily(family);
  if (!(await isThere(file))) {
    log(`generating the ${family} checkpoint in ${folder}`);
    await writeCheckpoint(folder, { config, tensors, layout, dtype: 'F16' });
  }
  return { path: layout === 'ldm' ? file : folder, file, bytes: (await stat(file)).size, parameters };
}

/** A LoRA for the family's checkpoint, made now. */
export async function loraOf(family: FamilyName, rank: number): Promise<string> {
  const { tensors } = await readFamily(family);
  const plan = { tensors, names: layoutOf(family), rank, dtype: 'F16' } as const;
  return (await writeLora(join(cacheFolder(), family), plan)).path;
}

/** The family's converted model, made now where it is not there yet. */
export async function modelOf(family: FamilyName, log: Log): Promise<string> {
  const model = join(cacheFolder(), family, 'model');
  if (await isThere(join(model, 'model.json'))) return model;
  const { path } = await checkpointOf(family, log);
  log(`converting ${family} to ${model}`);
  const temporary = `${model}-${process.pid}`;
  await mkdir(join(cacheFolder(), family), { recursive: true });
  await convertCheckpoint(path, temporary);
  await rename(temporary, model);
  return model;
}

/**
 * The family's converted pipeline, made now where it is not there yet: its text encoders and VAE, and the model of `modelOf`
 * as its UNet, so that the disk holds that once.
 */
export async function pipelineOf(family: FamilyName, log: Log): Promise<string> {
  const pipeline = join(cacheFolder(), family, 'pipeline');
  if (await isThere(pipeline)) return pipeline;
  await modelOf(family, log);
  log(`generating and converting what is beside the UNet of ${family} to ${pipeline}`);
  const [checkpoint, temporary] = [`${pipeline}-checkpoint`, `${pipeline}-${process.pid}`];
  const { parts, ...rest } = await familyPipeline(family);
  const others = parts.filter(({ folder }) => folder !== 'unet');
  const { path } = await writePipeline(checkpoint, { ...rest, parts: others }, { layout: 'diffusers', dtype: 'F16' });
  await convertPipeline(path, temporary, { only: ['text', 'vae'] });
  await rm(checkpoint, { recursive: true });
  await addUNet(family, temporary);
  await rename(temporary, pipeline);
  return pipeline;
}

async function addUNet(family: FamilyName, pipeline: string): Promise<void> {
  const manifest = await readPipelineManifest(pipeline);
  if (!manifest) throw new Error(`${pipeline} has no manifest`);
  const whole: PipelineManifest = {
    ...manifest,
    family,
    parts: { unet: 'unet', ...manifest.parts },
    force_zeros_for_empty_prompt: familyOrUsual(family).forceZerosForEmptyPrompt,
  };
  await symlink(join('..', 'model'), join(pipeline, 'unet'));
  await writeFile(join(pipeline, PIPELINE_FILE), JSON.stringify(whole));
}

async function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
