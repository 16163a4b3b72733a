import { readDocument } from '../../documents/index.ts';
import { modelName, workflowOfRun } from '../../jobs/node.ts';
import { ModelFile, openStore, readJson } from '../../models/node.ts';
import { RUN_DOCUMENT, type RunRecord } from '../../pipeline/index.ts';
import { type WorkflowLora, workflowText } from '../../workflows/index.ts';
import { printNote } from '../terminal.ts';
import { lorasOf } from './workflow-model.ts';

/**
 * The workflow of a run, as ComfyUI opens it: its text. In what ComfyUI's picture will differ is told.
 *
 * @param path a run.json
 * @param checkpoint ComfyUI's name of the checkpoint; default: the name of the model's folder
 * @throws SlothfulError `io`, `bad-input` for what is no run.json, `unsupported` for what a workflow cannot say
 */
export async function workflowFromRun(path: string, checkpoint: string | undefined): Promise<string> {
  const record = readDocument(RUN_DOCUMENT, await readJson(path), { place: path, code: 'bad-input' });
  const name = checkpoint ?? `${modelName(record) || 'model'}.safetensors`;
  if (checkpoint === undefined) printNote(`the checkpoint is called ${name} in it: --checkpoint gives ComfyUI's name`);
  const run = workflowOfRun(record, { checkpoint: name, loras: await lorasOfModel(record) });
  for (const note of run.notes) printNote(note);
  return workflowText(run);
}

/** The LoRAs that the model says are in it, where it still is where it was. */
async function lorasOfModel({ model }: RunRecord): Promise<WorkflowLora[]> {
  try {
    const { graph } = await ModelFile.open(await openStore(model));
    return [...lorasOf(graph.metadata)].map(([name, scale]) => ({ name, model: scale, clip: scale }));
  } catch {
    printNote(`${model} is not there to say which LoRAs are in it: none are written`);
    return [];
  }
}
