import { contactSheet, type Measures, measure } from '../pictures/index.ts';
import { encodePng, withPngText } from '../pictures/node.ts';
import {
  chainFlopsOf,
  type DenoisedRun,
  type FinishedRun,
  firstSteps,
  type OpenedModel,
  type ResolvedRun,
  type RunHalf,
  type RunRecord,
  type RunSource,
  runRecord,
} from '../pipeline/index.ts';
import { type DenoiseStep, type Picture, pictureSeed, type Values } from '../sampling/index.ts';
import { promptList } from '../text/index.ts';
import { channelsFirst } from './channels.ts';
import { type NextJob, textOf } from './folder-job.ts';
import { pictureText } from './picture-text.ts';
import type { RunFolder } from './run-folder.ts';
import { pictureWorkflow, type WorkflowModels } from './workflow-of-run.ts';

/** What a record and its pictures need besides the run. */
export interface RunWritten {
  readonly model: OpenedModel;
  readonly source: RunSource;
  /** What the runs that went on from it were asked for. */
  readonly next?: readonly NextJob[] | undefined;
  /** The models by the names that a workflow had for them: pictures keep the workflow of the run, as ComfyUI's do. */
  readonly workflow?: WorkflowModels | undefined;
}

/** Writes what the model takes the finished pictures to be after a step: all images of the batch on one sheet. */
export function previewWriter(folder: RunFolder) {
  return async (pictures: readonly Picture[], step: DenoiseStep, half: RunHalf): Promise<void> => {
    const digits = String(step.steps).length;
    const number = String(step.index + 1).padStart(digits, '0');
    const [only] = pictures;
    const picture = pictures.length === 1 && only ? only : contactSheet({ rows: [{ pictures }] }, 1);
    await folder.write(`${half === 'plain' ? 'plain-preview' : 'preview'}-${number}.png`, encodePng(picture));
  };
}

/** What is done stays, with its record, whatever becomes of the decoding. */
export async function writeDenoised(folder: RunFolder, done: DenoisedRun, written: RunWritten): Promise<void> {
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

export async function writeRun(folder: RunFolder, finished: FinishedRun, written: RunWritten): Promise<RunRecord> {
  await writePictures(folder, finished, written);
  const record = recordOf(folder, finished, written, finished);
  await folder.finish(record);
  return record;
}

/** The runs that went on from the first, with what each was told. */
function nextRecords(run: ResolvedRun, asked: readonly NextJob[]): RunRecord['next'] {
  const [, ...firsts] = firstSteps(run);
  return run.next?.map(({ settings, parameters, passes }, index) => ({
    prompt: promptList(asked[index]?.prompt)[0] ?? null,
    negative_prompt: promptList(asked[index]?.negativePrompt)[0] ?? null,
    ...textOf(asked[index] ?? {}),
    ...{ settings, parameters: parameters ?? null, passes, first_step: firsts[index] ?? 0 },
  }));
}

/** @param finished undefined before anything is drawn */
function recordOf(
  folder: RunFolder,
  { run, outcome, plain }: DenoisedRun,
  { model, source, next = [] }: RunWritten,
  finished?: FinishedRun,
): RunRecord {
  const stopped = outcome.stopped || plain?.stopped === true;
  return runRecord({
    ...{ source, settings: run.settings, outcome, plain },
    ...{ parameters: run.parameters ?? null, passes: run.passes },
    ...{ flops: chainFlopsOf(model.graph, run, outcome.steps), next: nextRecords(run, next) },
    measures: stopped || !finished ? undefined : compared(finished),
    ...{ decoder: finished?.drawing.decoder, phases: finished && [...finished.phases], files: [...folder.files] },
  });
}

async function writePictures(folder: RunFolder, finished: FinishedRun, written: RunWritten): Promise<void> {
  const { run, plain, outcome, drawing } = finished;
  const seed = (image: number) => pictureSeed(run.settings, image);
  const workflow = written.workflow && pictureWorkflow(recordOf(folder, finished, written), written.workflow);
  const [before = [], after = []] = halvesOf(finished).map((half) => half?.pictures ?? []);
  if (drawing.exact) {
    const write = async (name: string, pictures: readonly Picture[], isPlain: boolean) => {
      for (const [image, picture] of pictures.entries()) {
        const texts = pictureTexts(finished, written, { image, isPlain, workflow });
        await folder.write(`${name}-${seed(image)}.png`, withPngText(encodePng(picture), texts));
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

/** What a picture says of its run: A1111's text has room for a single run, ComfyUI's workflow for a chain of them. */
function pictureTexts(
  { run, drawing }: FinishedRun,
  { source }: RunWritten,
  { workflow, ...which }: { readonly image: number; readonly isPlain: boolean; readonly workflow: string | undefined },
): Record<string, string> {
  return {
    ...(run.next?.length ? {} : { parameters: pictureText({ source, run, ...which, decoder: drawing.decoder?.name }) }),
    ...(workflow === undefined || which.isPlain ? {} : { workflow }),
  };
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
