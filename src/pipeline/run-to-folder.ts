import { SlothfulError } from '../errors.ts';
import { contactSheet, type Measures, measure } from '../pictures/index.ts';
import { encodePng } from '../pictures/node.ts';
import type { DenoiseStep, RunSettings } from '../sampling/index.ts';
import type { Float32Tensor } from '../tensors/node.ts';
import { type ComparedOutcomes, compareRuns, type RunHalf, type RunOutcome } from './execute.ts';
import { type FolderJob, openJob, sourceOf, steerJob } from './folder-job.ts';
import { type Look, lookOf } from './look.ts';
import { extentOf, type OpenedModel, pixelsOf } from './open-model.ts';
import { attentionFlopsOf } from './plan-run.ts';
import { readConditioner } from './read-inputs.ts';
import { type ResolvedRun, resolveRun } from './resolve-run.ts';
import type { RunRecord, RunSource } from './run-document.ts';
import { RunFolder } from './run-folder.ts';
import { runRecord } from './run-record.ts';

/** A run whose pictures and record go into a folder. */
export interface RunJob extends FolderJob {
  /** Also without Slothful Attention, with the same noise; default false. */
  readonly compare?: boolean | undefined;
  /** Write a picture every so many steps; default: none. */
  readonly preview?: number | undefined;
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
 * Runs a model and leaves pictures, latents where there are no pictures or the run was stopped, and run.json in a folder:
 * what `slothful run` does. Nothing is written where it fails before its first step.
 *
 * @throws SlothfulError `usage`, `bad-parameter`, `bad-input`, `io`, `bad-checkpoint`, `bad-model`, `bad-graph`, `backend`,
 *   `exists` where the folder holds something else, `unsupported`
 */
export async function runToFolder(job: RunJob): Promise<FolderRun> {
  checkPreview(job.preview);
  const model = await openJob(job);
  const pixels = pixelsOf(extentOf(model, job));
  const conditioning = (await readConditioner(model, job, pixels, [job.prompt]))(job.prompt);
  const run = resolveRun(model, { ...job, conditioning, patched: job.compare });
  for (const note of run.notes) job.onNote?.(note);
  const look = lookOf(model.graph.metadata, run.settings, model.place);
  const folder = await RunFolder.open(job.out, { name: 'run', record: 'run.json', force: job.force ?? false });
  const steered = await steerJob(job, model, run.settings, run);
  try {
    job.onBegin?.();
    const outcomes = await compareRuns({
      ...{ unet: steered.model, settings: run.settings, conditioning, signal: job.signal, compare: job.compare },
      patch: steered.patchWith(run.parameters, run.passes),
      onStep: (step, half) => afterStep(job, step, half, { folder, look }),
    });
    const source = sourceOf(job, model, steered.unet);
    const record = await writeRun({ ...{ folder, look, model, run, source }, ...outcomes });
    return { folder: folder.path, files: folder.files, record, exact: look.exact };
  } finally {
    steered.dispose();
  }
}

function checkPreview(preview: number | undefined): void {
  if (preview === undefined || (Number.isInteger(preview) && preview >= 1)) return;
  throw new SlothfulError('usage', '--preview', `must be an integer from 1, got ${preview}`);
}

async function afterStep(
  { compare, preview, onProgress, onStep }: RunJob,
  step: DenoiseStep,
  half: RunHalf,
  { folder, look }: { folder: RunFolder; look: Look },
): Promise<void> {
  onProgress?.({ part: compare ? half : 'denoising', done: step.index + 1, total: step.steps });
  const isDue = preview !== undefined && (step.index + 1) % preview === 0;
  if (isDue) await writePreview(folder, look, step, half === 'plain' ? 'plain-preview' : 'preview');
  await onStep?.(step, half);
}

/** Writes what the model takes the finished pictures to be after a step: all images of the batch on one sheet. */
async function writePreview(folder: RunFolder, look: Look, step: DenoiseStep, name: string): Promise<void> {
  const pictures = look.pictures(step.predictedOriginal);
  const digits = String(step.steps).length;
  const number = String(step.index + 1).padStart(digits, '0');
  const [only] = pictures;
  const picture = pictures.length === 1 && only ? only : contactSheet({ rows: [{ pictures }] }, 1);
  await folder.write(`${name}-${number}.png`, encodePng(picture));
}

/** A run that is over, and where its files go. */
interface FinishedRun extends ComparedOutcomes {
  readonly folder: RunFolder;
  readonly look: Look;
  readonly model: OpenedModel;
  readonly run: ResolvedRun;
  readonly source: RunSource;
}

async function writeRun(finished: FinishedRun): Promise<RunRecord> {
  const { folder, look, model, run, outcome, plain, source } = finished;
  const stopped = outcome.stopped || plain?.stopped === true;
  await writePictures(finished, stopped);
  if (stopped || !look.exact) await writeLatents(finished);
  const record = runRecord({
    ...{ source, settings: run.settings, outcome, plain },
    ...{ parameters: run.parameters ?? null, passes: run.passes },
    flops: attentionFlopsOf(model.graph, run.settings, outcome.steps),
    measures: stopped ? undefined : compared(finished),
    files: folder.files,
  });
  await folder.finish(record);
  return record;
}

/** Of a stopped run, the pictures are what the model took them to be at its last step. */
async function writePictures({ folder, look, outcome, plain, run }: FinishedRun, stopped: boolean): Promise<void> {
  const draw = (half: RunOutcome | undefined) => {
    const latents = half?.stopped ? half.predictedOriginal : half?.latents;
    return latents ? look.pictures(latents) : [];
  };
  const [before, after] = [draw(plain), draw(outcome)];
  const seed = (image: number) => run.settings.seed + image;
  if (look.exact) {
    for (const [image, picture] of before.entries()) await folder.write(`plain-${seed(image)}.png`, encodePng(picture));
    for (const [image, picture] of after.entries())
      await folder.write(`picture-${seed(image)}.png`, encodePng(picture));
  }
  if (!plain || stopped) return;
  const rows = after.map((picture, image) => ({
    label: after.length > 1 ? `seed ${seed(image)}` : '',
    pictures: [before[image], picture],
  }));
  await folder.write('compare.png', encodePng(contactSheet({ columns: ['without', 'with'], rows }, 256)));
}

async function writeLatents({ folder, outcome, plain, run }: FinishedRun): Promise<void> {
  const tensors = new Map<string, Float32Tensor>();
  if (outcome.latents) tensors.set('latents', channelsFirst(outcome.latents, run.settings));
  if (plain?.latents) tensors.set('plain_latents', channelsFirst(plain.latents, run.settings));
  if (tensors.size) await folder.writeTensors('latents.safetensors', tensors);
}

/** [B, h, w, C] to [B, C, h, w], as the decoders of other frameworks take latents. */
function channelsFirst(latents: Float32Array, { batch, rows, columns }: RunSettings): Float32Tensor {
  const pixels = rows * columns;
  const channels = latents.length / (batch * pixels);
  const data = Float32Array.from(latents, (_, index) => {
    const pixel = index % pixels;
    const channel = Math.floor(index / pixels) % channels;
    const image = Math.floor(index / (pixels * channels));
    return latents[(image * pixels + pixel) * channels + channel] ?? 0;
  });
  return { shape: [batch, channels, rows, columns], data };
}

function compared({ look, outcome, plain }: FinishedRun): Measures[] | undefined {
  if (!plain?.latents || !outcome.latents) return undefined;
  const references = look.images(plain.latents);
  return look.images(outcome.latents).map((image, index) => measure(references[index] ?? [], image, look.peak));
}
