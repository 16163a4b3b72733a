import { SlothfulError } from '../../errors.ts';
import type { Graph } from '../../graph/index.ts';
import type { SlothfulParameters } from '../../passes/slothful/index.ts';
import { contactSheet, encodePng } from '../../pictures/index.ts';
import {
  type AttentionFlops,
  attentionFlopsOf,
  type Look,
  type Measures,
  measure,
  type RunConditioning,
  type RunOutcome,
  type RunRecord,
  type RunSettings,
  type RunSource,
  runRecord,
} from '../../pipeline/index.ts';
import type { DenoiseStep } from '../../sampling/index.ts';
import type { Float32Tensor } from '../../tensors/node.ts';
import type { RunFolder } from './run-folder.ts';

/** A run that is over, and where its files go. */
export interface FinishedRun {
  readonly folder: RunFolder;
  readonly look: Look;
  readonly settings: RunSettings;
  readonly conditioning: RunConditioning;
  readonly parameters: SlothfulParameters | undefined;
  readonly outcome: RunOutcome;
  readonly plain?: RunOutcome | undefined;
  readonly source: RunSource;
  readonly graph: Graph;
}

/** Writes what the model takes the finished pictures to be after a step: all images of the batch on one sheet. */
export async function writePreview(folder: RunFolder, look: Look, step: DenoiseStep, name: string): Promise<void> {
  const pictures = look.pictures(step.predictedOriginal);
  const digits = String(step.steps).length;
  const number = String(step.index + 1).padStart(digits, '0');
  const [only] = pictures;
  const picture = pictures.length === 1 && only ? only : contactSheet({ rows: [{ pictures }] }, 1);
  await folder.write(`${name}-${number}.png`, encodePng(picture));
}

/**
 * Writes everything that a run leaves: pictures, latents where there are no pictures or the run was stopped, and at the
 * end run.json.
 *
 * @returns what run.json holds
 * @throws SlothfulError `io`
 */
export async function writeRun(run: FinishedRun): Promise<RunRecord> {
  const { folder, look, outcome, plain, settings, parameters, source } = run;
  const stopped = outcome.stopped || plain?.stopped === true;
  await writePictures(run, stopped);
  if (stopped || !look.exact) await writeLatents(run);
  const record = runRecord({
    ...{ source, settings, outcome, plain },
    parameters: parameters ?? null,
    flops: flopsOf(run),
    measures: stopped ? undefined : compared(run),
    files: folder.files,
  });
  await folder.finish(record);
  return record;
}

/** Of a stopped run, the pictures are what the model took them to be at its last step. */
async function writePictures({ folder, look, outcome, plain, settings }: FinishedRun, stopped: boolean): Promise<void> {
  const draw = (run: RunOutcome | undefined) => {
    const latents = run?.stopped ? run.predictedOriginal : run?.latents;
    return latents ? look.pictures(latents) : [];
  };
  const [before, after] = [draw(plain), draw(outcome)];
  const seed = (image: number) => settings.seed + image;
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

async function writeLatents({ folder, outcome, plain, settings }: FinishedRun): Promise<void> {
  const tensors = new Map<string, Float32Tensor>();
  if (outcome.latents) tensors.set('latents', channelsFirst(outcome.latents, settings));
  if (plain?.latents) tensors.set('plain_latents', channelsFirst(plain.latents, settings));
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

/** A model without self-attentions that can be told runs all the same. */
function flopsOf({ graph, settings, conditioning, parameters }: FinishedRun): AttentionFlops | undefined {
  try {
    return attentionFlopsOf(graph, settings, conditioning, parameters);
  } catch (error) {
    if (error instanceof SlothfulError) return undefined;
    throw error;
  }
}
