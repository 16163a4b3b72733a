import { SlothfulError } from '../errors.ts';
import { contactSheet, type Measures, measure } from '../pictures/index.ts';
import { encodePng, withPngText } from '../pictures/node.ts';
import {
  attentionFlopsOf,
  type DenoisedRun,
  type FinishedRun,
  type OpenedModel,
  type PipelineRun,
  type RunHalf,
  type RunRecord,
  type RunSource,
  resolvePipeline,
  runPipeline,
  runRecord,
} from '../pipeline/index.ts';
import type { DenoiseStep, Picture, Values } from '../sampling/index.ts';
import { channelsFirst } from './channels.ts';
import { type FolderJob, openJob, setupOf, sourceOf } from './folder-job.ts';
import { pictureText } from './picture-text.ts';
import { readNoise } from './read-start.ts';
import { RunFolder } from './run-folder.ts';

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
 * Runs a model, or a whole pipeline, and leaves pictures, latents and run.json in a folder: what `slothful run` does. Nothing
 * is written where it fails before its first step; latents are written before they are decoded.
 *
 * @throws SlothfulError `usage`, `bad-parameter`, `bad-input`, `io`, `bad-checkpoint`, `bad-model`, `bad-graph`, `backend`,
 *   `exists` where the folder holds something else, `unsupported`
 */
export async function runToFolder(job: RunJob): Promise<FolderRun> {
  checkPreview(job.preview);
  const model = await openJob(job);
  const asked = await pipelineRun(job, model);
  const run = resolvePipeline(model, asked);
  const folder = await RunFolder.open(job.out, { name: 'run', record: 'run.json', force: job.force ?? false });
  const whole: PipelineRun = {
    ...asked,
    ...(job.preview === undefined ? {} : { onPreview: previewWriter(folder), previewEvery: job.preview }),
    onDenoised: (done) => writeDenoised(folder, done, { model, source: sourceOf(job, model, done.backend) }),
  };
  const finished = await runPipeline(model, whole, run);
  const source = sourceOf(job, model, finished.backend);
  const record = await writeRun(folder, finished, { model, source });
  return { folder: folder.path, files: folder.files, record, exact: finished.drawing.exact };
}

function checkPreview(preview: number | undefined): void {
  if (preview === undefined || (Number.isInteger(preview) && preview >= 1)) return;
  throw new SlothfulError('usage', '--preview', `must be an integer from 1, got ${preview}`);
}

/** The run that a job asks for, with its files read. */
async function pipelineRun(job: RunJob, model: OpenedModel): Promise<PipelineRun> {
  const { noise, imageEmbeds: _, controlNets: __, ...choices } = job;
  return {
    ...choices,
    ...(await setupOf(job, model)),
    noise: noise === undefined ? undefined : await noiseOf(noise),
  };
}

async function noiseOf(path: string): Promise<PipelineRun['noise']> {
  const noiseFor = await readNoise(path);
  return ({ settings }) => noiseFor(settings);
}

/** Writes what the model takes the finished pictures to be after a step: all images of the batch on one sheet. */
function previewWriter(folder: RunFolder) {
  return async (pictures: readonly Picture[], step: DenoiseStep, half: RunHalf): Promise<void> => {
    const digits = String(step.steps).length;
    const number = String(step.index + 1).padStart(digits, '0');
    const [only] = pictures;
    const picture = pictures.length === 1 && only ? only : contactSheet({ rows: [{ pictures }] }, 1);
    await folder.write(`${half === 'plain' ? 'plain-preview' : 'preview'}-${number}.png`, encodePng(picture));
  };
}

/** What is done stays, with its record, whatever becomes of the decoding. */
async function writeDenoised(folder: RunFolder, done: DenoisedRun, written: Written): Promise<void> {
  await writeLatents(folder, done);
  if (folder.files.length) await folder.finish(recordOf(folder, done, written));
}

/** Latents go beside pictures that a decoder makes of them; where the data are pictures, only of a run that was stopped. */
async function writeLatents(folder: RunFolder, { run, look, outcome, plain }: DenoisedRun): Promise<void> {
  const stopped = outcome.stopped || plain?.stopped === true;
  if (look.exact && !stopped) return;
  const tensors = new Map<string, Values>();
  if (outcome.latents) tensors.set('latents', channelsFirst(outcome.latents, run.settings));
  if (plain?.latents) tensors.set('plain_latents', channelsFirst(plain.latents, run.settings));
  if (tensors.size) await folder.writeTensors('latents.safetensors', tensors);
}

/** What a record needs besides the run. */
interface Written {
  readonly model: OpenedModel;
  readonly source: RunSource;
}

async function writeRun(folder: RunFolder, finished: FinishedRun, written: Written): Promise<RunRecord> {
  await writePictures(folder, finished, written.source);
  const record = recordOf(folder, finished, written, finished);
  await folder.finish(record);
  return record;
}

/** @param finished undefined before anything is drawn */
function recordOf(
  folder: RunFolder,
  { run, outcome, plain }: DenoisedRun,
  { model, source }: Written,
  finished?: FinishedRun,
): RunRecord {
  const stopped = outcome.stopped || plain?.stopped === true;
  return runRecord({
    ...{ source, settings: run.settings, outcome, plain },
    ...{ parameters: run.parameters ?? null, passes: run.passes },
    flops: attentionFlopsOf(model.graph, run.settings, outcome.steps),
    measures: stopped || !finished ? undefined : compared(finished),
    ...{ decoder: finished?.drawing.decoder, phases: finished && [...finished.phases], files: [...folder.files] },
  });
}

async function writePictures(folder: RunFolder, finished: FinishedRun, source: RunSource): Promise<void> {
  const { run, plain, outcome, drawing } = finished;
  const seed = (image: number) => run.settings.seed + image;
  const [before = [], after = []] = halvesOf(finished).map((half) => half?.pictures ?? []);
  if (drawing.exact) {
    const write = async (name: string, pictures: readonly Picture[], isPlain: boolean) => {
      for (const [image, picture] of pictures.entries()) {
        const parameters = pictureText({ source, run, image, isPlain, decoder: drawing.decoder?.name });
        await folder.write(`${name}-${seed(image)}.png`, withPngText(encodePng(picture), { parameters }));
      }
    };
    await write('plain', before, true);
    await write('picture', after, false);
  }
  if (!plain || plain.stopped || outcome.stopped) return;
  const rows = after.map((picture, image) => ({
    label: after.length > 1 ? `seed ${seed(image)}` : '',
    pictures: [before[image], picture],
  }));
  await folder.write('compare.png', encodePng(contactSheet({ columns: ['without', 'with'], rows }, 256)));
}

/** What was drawn of the plain half and of the patched one, where there was anything to draw. */
function halvesOf({ plain, outcome, drawing }: FinishedRun) {
  const drawn = [...drawing.drawn];
  return [plain, outcome].map((half) => (half?.latents ? drawn.shift() : undefined));
}

function compared(finished: FinishedRun): Measures[] | undefined {
  const [plain, patched] = halvesOf(finished);
  if (!plain || !patched) return undefined;
  return patched.images.map((image, index) => measure(plain.images[index] ?? [], image, finished.drawing.peak));
}
