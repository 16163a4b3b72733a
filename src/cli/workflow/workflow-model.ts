import { existsSync } from 'node:fs';
import { basename } from 'node:path';
import { convertPipeline, type LoraOption } from '../../../converters/index.ts';
import { SlothfulError } from '../../errors.ts';
import { isObject, type JsonObject } from '../../graph/index.ts';
import { isUrl, ModelFile, openStore, settle } from '../../models/node.ts';
import type { WorkflowLora, WorkflowRun } from '../../workflows/index.ts';
import { printNote, startProgress } from '../terminal.ts';
import { findModelFile } from './model-files.ts';

/**
 * Makes the model of a workflow: where its folder is not there yet, the checkpoint is converted into it with the workflow's
 * LoRAs and VAE, from ComfyUI's folder of models; a model that is there must have been converted with the same LoRAs.
 *
 * @param model folder of the converted model
 * @param models ComfyUI's folder of models
 * @throws SlothfulError `io`, `bad-input` and what converting throws
 */
export async function prepareWorkflowModel(run: WorkflowRun, model: string, models: string | undefined): Promise<void> {
  if (isUrl(model)) return checkLoras(run, model);
  await settle(model);
  if (existsSync(model)) return checkLoras(run, model);
  if (models === undefined) {
    const cure = `convert ${run.checkpoint} into it, or give ComfyUI's folder of models (--models) to have it done`;
    throw new SlothfulError('io', model, 'is not there', cure);
  }
  await convertFor(run, model, models);
}

async function convertFor(run: WorkflowRun, model: string, models: string): Promise<void> {
  const source = findModelFile(models, 'checkpoint', run.checkpoint);
  const lora = run.loras.map(({ name, model: scale, clip }): LoraOption => {
    return { file: findModelFile(models, 'lora', name), scale, textScale: clip };
  });
  const vae = run.vae === null ? undefined : findModelFile(models, 'vae', run.vae);
  printNote(`converting ${source} into ${model}`);
  const progress = startProgress('converting');
  try {
    const onProgress = ({ done, total }: { done: number; total: number }) => progress.update(done, total);
    // ComfyUI passes over the modules of a LoRA that a model does not have.
    const summary = await convertPipeline(source, model, { lora, loraPartial: true, vae, onProgress });
    for (const note of summary.notes) printNote(note);
  } finally {
    progress.end();
  }
}

/** What a model records of a LoRA that is in it. */
type Recorded = ReadonlyMap<string, number>;

/** @throws SlothfulError `bad-input` where the model has other LoRAs in it, or others of their strengths */
async function checkLoras({ loras }: WorkflowRun, model: string): Promise<void> {
  const { unet, text } = await recordedLoras(model);
  const wanted = new Map(loras.filter((lora) => lora.model !== 0).map((lora) => [fileOf(lora), lora.model] as const));
  const inText = new Map(loras.map((lora) => [fileOf(lora), lora.clip] as const));
  const missing = [...wanted].find(([file, scale]) => unet.get(file) !== scale);
  const other =
    [...unet].find(([file]) => !wanted.has(file)) ?? [...text].find(([file, scale]) => inText.get(file) !== scale);
  const [file] = missing ?? other ?? [];
  if (file === undefined) return;
  const has = unet.has(file) ? `the LoRA ${file} at ${unet.get(file)}` : `no LoRA ${file}`;
  const asks = wanted.has(file) ? `it at ${wanted.get(file)}` : 'none of it';
  const flags = loras.map((lora) => `--lora ${fileOf(lora)}:${lora.model}:${lora.clip}`).join(' ');
  const cure = loras.length ? `convert with ${flags}, or name a new folder and give --models` : 'convert it without';
  throw new SlothfulError('bad-input', model, `has ${has} in it, and the workflow asks for ${asks}`, cure);
}

const fileOf = ({ name }: WorkflowLora): string => basename(name.replaceAll('\\', '/'));

async function recordedLoras(model: string): Promise<{ readonly unet: Recorded; readonly text: Recorded }> {
  const store = await openStore(model);
  const { graph } = await ModelFile.open(store);
  const encoder = store.pipeline?.part('text_encoder');
  const text = encoder ? (await ModelFile.open(encoder)).graph.metadata : {};
  return { unet: lorasOf(graph.metadata), text: lorasOf(text) };
}

/** The LoRAs in a model by its metadata: names of files, with their scales. */
export function lorasOf({ lora }: JsonObject): Recorded {
  const records = Array.isArray(lora) ? lora.filter(isObject) : [];
  return new Map(records.map(({ file, scale }) => [String(file), Number(scale)] as const));
}
