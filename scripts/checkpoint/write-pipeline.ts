import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type FloatDtype, floatBytes } from '../../src/tensors/index.ts';
import type { PipelinePart, PipelinePlan } from './pipeline.ts';
import { type RandomTensor, type WriteProgress, writeRandomFile } from './random-weights.ts';
import { type CheckpointLayout, WEIGHTS_FILES } from './write-checkpoint.ts';

/** How a pipeline is written. */
export interface PipelineForm {
  readonly layout: CheckpointLayout;
  readonly dtype: FloatDtype;
}

/** What the library that a part is of calls its weights' file. */
const PART_FILES: Readonly<Record<PipelinePart['library'], string>> = {
  diffusers: WEIGHTS_FILES.diffusers,
  transformers: 'model.safetensors',
};

/**
 * Writes a pipeline with random weights into a folder: as diffusers saves it, but without tokenizers, since CLIP's own is
 * meant where there are none; or as one single file.
 *
 * @returns the path to convert (the folder, or the single file) and the bytes of the weights' files
 */
export async function writePipeline(
  folder: string,
  plan: PipelinePlan,
  { layout, dtype }: PipelineForm,
  progress?: WriteProgress,
): Promise<{ path: string; bytes: number }> {
  await mkdir(folder, { recursive: true });
  if (layout === 'ldm') {
    const path = join(folder, WEIGHTS_FILES.ldm);
    const tensors = plan.parts.flatMap((part) => part.tensors.ldm);
    return { path, bytes: await writeRandomFile(path, tensors, dtype, progress) };
  }
  await writeJson(join(folder, 'model_index.json'), indexOf(plan));
  await mkdir(join(folder, 'scheduler'), { recursive: true });
  await writeJson(join(folder, 'scheduler', 'scheduler_config.json'), plan.scheduler);
  return { path: folder, bytes: await writeParts(folder, plan.parts, dtype, progress) };
}

/** Each part into its folder. Progress is that of all of them. */
async function writeParts(
  folder: string,
  parts: readonly PipelinePart[],
  dtype: FloatDtype,
  progress?: WriteProgress,
): Promise<number> {
  const sizes = parts.map(({ tensors }) => bytesOf(tensors.diffusers, dtype));
  const total = sizes.reduce((sum, size) => sum + size, 0);
  let [before, bytes] = [0, 0];
  for (const [index, { folder: name, library, config, tensors }] of parts.entries()) {
    const size = sizes[index] ?? 0;
    await mkdir(join(folder, name), { recursive: true });
    await writeJson(join(folder, name, 'config.json'), config);
    bytes += await writeRandomFile(join(folder, name, PART_FILES[library]), tensors.diffusers, dtype, (done, of) =>
      progress?.(before + (size * done) / of, total),
    );
    before += size;
  }
  return bytes;
}

function bytesOf(tensors: readonly RandomTensor[], dtype: FloatDtype): number {
  const bytes = ({ shape }: RandomTensor) => shape.reduce((product, size) => product * size, floatBytes(dtype));
  return tensors.reduce((sum, tensor) => sum + bytes(tensor), 0);
}

/** What model_index.json says: which class of which library each folder is of. */
function indexOf({ parts, scheduler, forceZerosForEmptyPrompt }: PipelinePlan): unknown {
  const isXl = parts.some(({ folder }) => folder === 'text_encoder_2');
  const classes = parts.map(({ folder, library, className }) => [folder, [library, className]]);
  return {
    _class_name: isXl ? 'StableDiffusionXLPipeline' : 'StableDiffusionPipeline',
    ...(isXl ? { force_zeros_for_empty_prompt: forceZerosForEmptyPrompt } : {}),
    scheduler: ['diffusers', scheduler._class_name],
    ...Object.fromEntries(classes),
  };
}

function writeJson(path: string, value: unknown): Promise<void> {
  return writeFile(path, JSON.stringify(value, null, 2));
}
