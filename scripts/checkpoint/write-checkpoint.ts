import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { FamilyTensor } from './family.ts';
import type { Dtype } from './random-weights.ts';
import { type WriteProgress, writeRandomFile } from './write-random.ts';

export type CheckpointLayout = 'diffusers' | 'ldm';

/** A checkpoint to write. */
export interface CheckpointPlan {
  readonly config: unknown;
  readonly tensors: readonly FamilyTensor[];
  readonly layout: CheckpointLayout;
  readonly dtype: Dtype;
}

const LDM_PREFIX = 'model.diffusion_model.';
const NAMES: Readonly<Record<CheckpointLayout, string>> = {
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
  const path = join(folder, NAMES[layout]);
  const named = tensors.map(({ name, ldmName, shape }) => {
    return { key: layout === 'ldm' ? `${LDM_PREFIX}${ldmName}` : name, shape };
  });
  const bytes = await writeRandomFile(path, named, dtype, progress);
  if (layout === 'diffusers') await writeFile(join(folder, 'config.json'), JSON.stringify(config, null, 2));
  return { path: layout === 'ldm' ? path : folder, bytes };
}
