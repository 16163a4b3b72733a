import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { FamilyTensor } from './family.ts';
import type { Dtype } from './random-weights.ts';
import type { CheckpointLayout } from './write-checkpoint.ts';
import { type RandomTensor, type WriteProgress, writeRandomFile } from './write-random.ts';

/** A LoRA to write. */
export interface LoraPlan {
  readonly tensors: readonly FamilyTensor[];
  /** Whose names the modules have: trainers of SD1.5 take diffusers', those of SDXL the LDM ones. */
  readonly names: CheckpointLayout;
  readonly rank: number;
  readonly dtype: Dtype;
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
