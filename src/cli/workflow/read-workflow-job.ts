import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { SlothfulError } from '../../errors.ts';
import { type RunJob, workflowJob } from '../../jobs/node.ts';
import { understandWorkflow, type WorkflowRun } from '../../workflows/index.ts';
import { readWorkflowFile } from '../../workflows/node.ts';
import { printNote } from '../terminal.ts';

/** The flags of a workflow. */
export interface WorkflowArguments {
  readonly workflow?: string | undefined;
  readonly models?: string | undefined;
  readonly output?: string | undefined;
}

/** A workflow, and the run that it asks for. */
export interface WorkflowJob {
  readonly run: WorkflowRun;
  readonly choices: Omit<RunJob, 'model'>;
}

/**
 * Reads a workflow as the choices of a run.
 *
 * @param isStartGiven whether the user names the image that the run starts from
 * @throws SlothfulError what reading, understanding and choosing throw; `io` where its image is not there
 */
export async function readWorkflowJob(
  file: string,
  { models, output }: WorkflowArguments,
  isStartGiven: boolean,
): Promise<WorkflowJob> {
  const { value, place } = await readWorkflowFile(file);
  const run = understandWorkflow(value, place, { output });
  for (const note of run.notes) printNote(note);
  const { latent } = run;
  const image = latent.kind === 'image' && !isStartGiven ? imageFile(latent.image, file, models) : undefined;
  return { run, choices: workflowJob(run, { place, image }) };
}

/** The image that `LoadImage` names: beside the workflow, or in ComfyUI's folder of inputs. */
function imageFile(name: string, workflow: string, models: string | undefined): string {
  const path = name.replace(/ \[(?:input|output|temp)\]$/, '');
  if (path.split(/[\\/]/).includes('..')) {
    throw new SlothfulError('bad-input', `LoadImage "${name}"`, 'leads out of its folder', 'give it with --init-image');
  }
  const folders = [
    dirname(workflow),
    ...(models === undefined ? [] : [join(models, '..', 'input'), join(models, 'input')]),
  ];
  const found = folders.map((folder) => join(folder, path)).find((each) => existsSync(each));
  if (found) return found;
  const cure = 'give it with --init-image';
  throw new SlothfulError('io', join(dirname(workflow), path), 'is not there; the workflow starts from it', cure);
}
