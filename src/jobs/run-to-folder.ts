import { SlothfulError } from '../errors.ts';
import {
  type DenoisedRun,
  type NextRun,
  type OpenedModel,
  type PipelineRun,
  type RunHalf,
  type RunRecord,
  resolvePipeline,
  runPipeline,
} from '../pipeline/index.ts';
import type { DenoiseStep } from '../sampling/index.ts';
import { type FolderJob, type NextJob, openFolder, openJob, setupOf, sourceOf } from './folder-job.ts';
import { withPaths } from './local-files.ts';
import { readText } from './read-inputs.ts';
import { readNoise } from './read-start.ts';
import { previewWriter, writeDenoised, writeRun } from './run-files.ts';
import type { WorkflowModels } from './workflow-of-run.ts';

/** A run whose pictures and record go into a folder. */
export interface RunJob extends FolderJob {
  /** Also without Slothful Attention, with the same noise; default false. */
  readonly compare?: boolean | undefined;
  /** Write a picture every so many steps; default: none. */
  readonly preview?: number | undefined;
  /** Runs that go on from its latents, each from those of the one before. */
  readonly next?: readonly NextJob[] | undefined;
  /** The models by the names that a workflow had for them: pictures keep the workflow of the run, as ComfyUI's do. */
  readonly workflow?: WorkflowModels | undefined;
  /** Called, and waited for, after every step. */
  readonly onStep?: ((step: DenoiseStep, half: RunHalf) => void | Promise<void>) | undefined;
}

/** What a run left. */
export interface FolderRun {
  readonly folder: string;
  /** Names of what lies beside run.json. */
  readonly files: readonly string[];
  /** What run.json holds; `stopped` where the signal ended it. */
  readonly record: RunRecord;
  /** False where pictures are only about what a decoder makes of the latents. */
  readonly exact: boolean;
}

/**
 * Runs a model, or a whole pipeline, and leaves pictures, latents and run.json in a folder: what `slothful run` does. Nothing
 * is written where it fails before its first step; latents are written before they are decoded. With `force` an earlier
 * run stays as it is until this one is done; of one that stops or fails, what is done is then kept beside it.
 *
 * @throws SlothfulError `usage`, `bad-parameter`, `bad-input`, `io`, `bad-checkpoint`, `bad-model`, `bad-graph`, `backend`,
 *   `exists` where the folder holds something else, `unsupported`
 */
export async function runToFolder(asJob: RunJob): Promise<FolderRun> {
  const job = withPaths(asJob);
  checkPreview(job.preview);
  const model = await openJob(job);
  const asked = await pipelineRun(job, model);
  const run = resolvePipeline(model, asked);
  const folder = await openFolder(job, 'run');
  const { next, workflow } = job;
  const written = ({ backend }: DenoisedRun) => ({ model, source: sourceOf(job, model, backend), next, workflow });
  const whole: PipelineRun = {
    ...asked,
    ...(job.preview === undefined ? {} : { onPreview: previewWriter(folder), previewEvery: job.preview }),
    onDenoised: (done) => writeDenoised(folder, done, written(done)),
  };
  const fill = async () => {
    const finished = await runPipeline(model, whole, run);
    return { record: await writeRun(folder, finished, written(finished)), exact: finished.drawing.exact };
  };
  const done = await folder.during(fill, ({ record }) => !record.stopped);
  return { folder: folder.path, files: folder.files, ...done };
}

function checkPreview(preview: number | undefined): void {
  if (preview === undefined || (Number.isInteger(preview) && preview >= 1)) return;
  throw new SlothfulError('usage', '--preview', `must be an integer from 1, got ${preview}`);
}

/** The run that a job asks for, with its files read. */
async function pipelineRun(job: RunJob, model: OpenedModel): Promise<PipelineRun> {
  const { noise, imageEmbeds: _, controlNets: __, next: others = [], ...choices } = job;
  const next: NextRun[] = [];
  for (const each of others) next.push({ ...each, text: await readText(model, each) });
  return {
    ...choices,
    next,
    ...(await setupOf(job, model)),
    noise: noise === undefined ? undefined : await noiseOf(noise, job.onNote),
  };
}

async function noiseOf(path: string, onNote: RunJob['onNote']): Promise<PipelineRun['noise']> {
  const noiseFor = await readNoise(path, onNote);
  return ({ settings }) => noiseFor(settings);
}
