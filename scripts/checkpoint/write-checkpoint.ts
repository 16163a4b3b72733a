import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { FloatDtype } from '../../src/tensors/index.ts';
import type { FamilyTensor } from './family.ts';
import { type RandomTensor, type WriteProgress, writeRandomFile } from './random-weights.ts';

export type CheckpointLayout = 'diffusers' | 'ldm';

/** A checkpoint to write. */
export interface CheckpointPlan {
  readonly config: unknown;
  readonly tensors: readonly FamilyTensor[];
  readonly layout: CheckpointLayout;
  readonly dtype: FloatDtype;
}

/** Of a UNet's tensors in a single file. */
export const LDM_PREFIX = 'model.diffusion_model.';
/** What the weights' file of each layout is called. */
export const WEIGHTS_FILES: Readonly<Record<CheckpointLayout, string>> = {
  diffusers: 'diffusion_pytorch_model.safetensors',
  ldm: 'model.safetensors',
};

/**
 * Writes a checkpoint with random weights into a folder: with `config.json` as diffusers has it, or one LDM file.
 *
 * @returns the path to convert (the folder, or the LDM file) and the bytes of the weights' file
 */
export async function writeCheckpoint(
  folder: string,
  { config, tensors, layout, dtype }: CheckpointPlan,
  progress?: WriteProgress,
): Promise<{ path: string; bytes: number }> {
  await mkdir(folder, { recursive: true });
  const path = join(folder, WEIGHTS_FILES[layout]);
  const named = tensors.map(({ name, ldmName, shape }) => {
    return { key: layout === 'ldm' ? `${LDM_PREFIX}${ldmName}` : name, shape };
  });
  const bytes = await writeRandomFile(path, named, dtype, progress);
  if (layout === 'diffusers') await writeFile(join(folder, 'config.json'), JSON.stringify(config, null, 2));
  return { path: layout === 'ldm' ? path : folder, bytes };
}

/** A LoRA to write. */
export interface LoraPlan {
  readonly tensors: readonly FamilyTensor[];
  /** Whose names the modules have: trainers of SD1.5 take diffusers', those of SDXL the LDM ones. */
  readonly names: CheckpointLayout;
  readonly rank: number;
  readonly dtype: FloatDtype;
}

/**
 * Writes a LoRA with random weights over every linear layer of a UNet's transformers, in kohya's spelling.
 *
 * @returns the file and its bytes
 */
export async function writeLora(
  folder: string,
  { tensors, names, rank, dtype }: LoraPlan,
  progress?: WriteProgress,
): Promise<{ path: string; bytes: number }> {
  await mkdir(folder, { recursive: true });
  const path = join(folder, `lora-rank${rank}.safetensors`);
  const modules = tensors.filter(isLinear).flatMap(({ name, ldmName, shape }) => {
    return moduleOf(names === 'ldm' ? ldmName : name, shape, rank);
  });
  return { path, bytes: await writeRandomFile(path, modules, dtype, progress) };
}

/** The linear layers of transformers; `proj_in` and `proj_out` are convolutions of 1x1 in SD1.5. */
function isLinear({ name, shape }: FamilyTensor): boolean {
  return shape.length >= 2 && name.includes('.attentions.') && name.endsWith('.weight');
}

function moduleOf(weight: string, [outputs = 1, ...inputs]: readonly number[], rank: number): RandomTensor[] {
  const module = `lora_unet_${weight.replace(/\.weight$/, '').replaceAll('.', '_')}`;
  return [
    { key: `${module}.lora_down.weight`, shape: [rank, ...inputs] },
    { key: `${module}.lora_up.weight`, shape: [outputs, rank, ...inputs.slice(1).map(() => 1)] },
    { key: `${module}.alpha`, shape: [] },
  ];
}
