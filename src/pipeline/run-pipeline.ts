import { SlothfulError } from '../errors.ts';
import { SLOTHFUL_SECOND } from '../passes/index.ts';
import type { DenoiseStep, GivenNoise, GuidedSizes, Picture, RunConditioning } from '../sampling/index.ts';
import { type Prompts, promptList } from '../text/index.ts';
import { takenBeside } from './beside-sample.ts';
import { type Drawing, decoderOf, type Preview } from './draw.ts';
import { type ComparedOutcomes, compareRuns, type RunHalf, type RunOutcome } from './execute.ts';
import type { Phase } from './load-parts.ts';
import { type Look, lookOf } from './look.ts';
import type { OpenedModel } from './open-model.ts';
import { planRun } from './plan-run.ts';
import { type ResolvedRun, type RunChoices, resolveTold } from './resolve-run.ts';
import { evaluatedParts, type RunRequest } from './settings.ts';
import { type PipelineSetup, PipelineStages } from './stages.ts';
import { startChoices } from './start-image.ts';

/** Noise in the place of the seed's: where a run starts, and where the latents of an image are drawn. */
export interface PipelineNoise {
  readonly noise: GivenNoise;
  readonly encoderNoise?: Float32Array | undefined;
  /** The same of what a mask leaves of the image, for an inpainting model. */
  readonly maskedNoise?: Float32Array | undefined;
}

/** A run that goes on from the latents of another, with choices of its own; its size is that of the other. */
export interface NextRun
  extends RunRequest,
    Pick<PipelineSetup, 'text' | 'sizes'>,
    Pick<RunChoices, 'parameters' | 'passes' | 'recorded'> {
  readonly prompt?: Prompts | undefined;
}

/** A run of a whole pipeline: from what it is told to pictures. */
export interface PipelineRun extends PipelineSetup, Omit<RunChoices, 'conditioning' | 'contextTokens' | 'guidable'> {
  /** Several make as many pictures at once; `batch` is then the pictures of each. */
  readonly prompt?: Prompts | undefined;
  /** Runs that go on from its latents, each from those of the one before. */
  readonly next?: readonly NextRun[] | undefined;
  /** Of the size of the run that was decided. */
  readonly noise?: ((run: ResolvedRun) => PipelineNoise | Promise<PipelineNoise>) | undefined;
  /** Also without Slothful Attention, with the same noise; default false. */
  readonly compare?: boolean | undefined;
  /** Called when all is loaded, before the first step. */
  readonly onBegin?: (() => void) | undefined;
  /** Called, and waited for, after every step. */
  readonly onStep?: ((step: DenoiseStep, half: RunHalf) => void | Promise<void>) | undefined;
  /** Called, and waited for, after every `previewEvery` steps with what the model takes the finished pictures to be. */
  readonly onPreview?:
    | ((pictures: readonly Picture[], step: DenoiseStep, half: RunHalf) => void | Promise<void>)
    | undefined;
  /** Default 1. */
  readonly previewEvery?: number | undefined;
  /** Called, and waited for, when the last step is done, before anything is decoded. */
  readonly onDenoised?: ((done: DenoisedRun) => void | Promise<void>) | undefined;
}

/** A run of which the pictures are not drawn yet. */
export interface DenoisedRun extends ComparedOutcomes {
  readonly run: ResolvedRun;
  readonly look: Look;
  readonly backend: { readonly name: string; readonly device: string };
}

/** What a run of a pipeline came to. */
export interface FinishedRun extends DenoisedRun {
  /** Of the plain half, where there is one, and then of the patched one; a half without a step is left out. */
  readonly drawing: Drawing;
  /** How long its parts took. */
  readonly phases: readonly Phase[];
}

/**
 * Runs a pipeline: its text encoders, where an image is given the VAE's encoder, the UNet and the decoder, each loaded when it
 * is needed and gone before the next.
 *
 * @param run what `resolvePipeline` decided of it, where that was asked before
 * @throws SlothfulError `usage`, `bad-parameter`, `bad-input`, `io`, `bad-model`, `bad-graph`, `backend`, `unsupported`
 */
export async function runPipeline(
  model: OpenedModel,
  asked: PipelineRun,
  run: ResolvedRun = resolvePipeline(model, asked),
): Promise<FinishedRun> {
  for (const note of run.notes) asked.onNote?.(note);
  checkChainedNodes(model, run);
  const look = lookOf(model.graph.metadata, run.settings, model.place);
  const decoder = await decoderOf(model, look, asked);
  const stages = new PipelineStages(model, asked);
  stages.checkGiven();
  const done = await denoised(asked, stages, { run, look });
  await asked.onDenoised?.(done);
  const latents = [done.plain, done.outcome].flatMap((half) => shownLatents(half) ?? []);
  const drawing = await stages.draw(look, decoder, latents, run.settings);
  return { ...done, drawing, phases: stages.clock.phases };
}

/**
 * Decides a run of a pipeline; nothing is loaded.
 *
 * @throws SlothfulError as `resolveRun`
 */
export function resolvePipeline(model: OpenedModel, asked: PipelineRun): ResolvedRun {
  const { start, text, compare, prompt, sizes } = asked;
  checkSizes(model, sizes);
  const count = promptList(prompt).length || 1;
  const first = resolveTold(model, text, {
    ...asked,
    ...{ prompt, batch: count * (asked.batch ?? 1), patched: compare },
    ...startChoices(asked, start, takenBeside(model.graph)),
  });
  if (!asked.next?.length) return first;
  return { ...first, next: asked.next.map((next) => resolveNext(model, next, first)) };
}

function resolveNext(model: OpenedModel, { text, ...next }: NextRun, { settings }: ResolvedRun): ResolvedRun {
  checkSizes(model, next.sizes);
  const { rows, columns, batch } = settings;
  return resolveTold(model, text, { ...next, ...{ rows, columns, batch } });
}

function checkSizes({ inputs }: OpenedModel, { original, crop, target }: GuidedSizes = {}): void {
  if (inputs.includes('time_ids') || !(original || crop || target)) return;
  const problem = 'are for SDXL and its kin, which are told sizes';
  throw new SlothfulError('usage', '--original-size, --target-size, --crop', problem, 'leave them out');
}

async function denoised(
  asked: PipelineRun,
  stages: PipelineStages,
  { run, look }: Pick<DenoisedRun, 'run' | 'look'>,
): Promise<DenoisedRun> {
  const { settings } = run;
  const given = await asked.noise?.(run);
  const told = await tellAll(asked, stages, run);
  const startFor = await stages.start(settings, look);
  const begun = startFor?.(settings, { image: given?.encoderNoise, masked: given?.maskedNoise });
  const steered = await stages.steer(settings, unionOf(run));
  let preview: Preview | undefined;
  try {
    preview = asked.onPreview && (await stages.preview(look, settings));
    asked.onBegin?.();
    const { backend } = steered.unet;
    const [first = { cond: {} }, ...others] = told;
    const task = {
      ...{ unet: steered.model, settings, conditioning: first, ...begun, noise: given?.noise },
      ...{ signal: asked.signal, compare: asked.compare, patch: steered.patchWith(run.parameters, run.passes) },
      next: (run.next ?? []).map((next, index) => ({
        ...{ settings: next.settings, conditioning: others[index] ?? first },
        patch: steered.patchWith(next.parameters, next.passes),
      })),
      onStep: (step: DenoiseStep, half: RunHalf) => afterStep(asked, step, half, preview),
    };
    const outcomes = await stages.clock.time('denoise', () => compareRuns(task));
    return { ...outcomes, run, look, backend: { name: backend.name, device: backend.device } };
  } finally {
    preview?.dispose();
    steered.dispose();
  }
}

/**
 * A second Slothful Attention pools what the first has left: over a grid only where that is one. Told before anything is
 * loaded.
 *
 * @throws SlothfulError `bad-input`
 */
function checkChainedNodes(model: OpenedModel, run: ResolvedRun): void {
  for (const each of [run, ...(run.next ?? [])]) if (SLOTHFUL_SECOND.name in each.passes) planRun(model, each);
}

/** What the model is told in the run and in those that go on from it. */
async function tellAll(asked: PipelineRun, stages: PipelineStages, run: ResolvedRun): Promise<RunConditioning[]> {
  const runs = [run, ...(run.next ?? [])];
  const texts = [asked, ...(asked.next ?? [])];
  const told: RunConditioning[] = [];
  for (const [index, { settings, passes }] of runs.entries()) {
    const text = texts[index] ?? asked;
    const parts = evaluatedParts(settings, passes);
    const same = texts.findIndex((each, at) => at < index && each.text === text.text && each.prompt === text.prompt);
    const known = told[same];
    const isEnough = known && (!parts.includes('uncond') || known.uncond) && texts[same]?.sizes === text.sizes;
    if (isEnough) told.push(known);
    else told.push((await stages.tell([text.prompt], settings, parts, text))(text.prompt));
  }
  return told;
}

/** What all runs of a chain need of the model together: it is loaded once. */
function unionOf(run: ResolvedRun): Pick<ResolvedRun, 'parameters' | 'passes'> {
  const runs = [run, ...(run.next ?? [])];
  return {
    parameters: runs.find(({ parameters }) => parameters)?.parameters,
    passes: Object.assign({}, ...runs.map(({ passes }) => passes).reverse()),
  };
}

async function afterStep(
  { compare, previewEvery = 1, onProgress, onPreview, onStep }: PipelineRun,
  step: DenoiseStep,
  half: RunHalf,
  preview: Preview | undefined,
): Promise<void> {
  onProgress?.({ part: compare ? half : 'denoising', done: step.index + 1, total: step.steps });
  const isDue = preview && (step.index + 1) % previewEvery === 0;
  if (isDue) await onPreview?.(await preview.pictures(step.predictedOriginal), step, half);
  await onStep?.(step, half);
}

/** Of a run that was stopped, what the model took the finished latents to be at its last step. */
function shownLatents(half: RunOutcome | undefined): Float32Array | undefined {
  return half?.stopped ? half.predictedOriginal : half?.latents;
}
