import { SlothfulError } from '../errors.ts';
import type { PassChanges } from '../passes/index.ts';
import {
  type BesideSample,
  type DenoiseStart,
  type DenoiseStep,
  type DenoisingModel,
  denoise,
  type GivenNoise,
  guidanceEmbedding,
  parseSeed,
  type RunConditioning,
  type RunSettings,
  schedulerOfSettings,
} from '../sampling/index.ts';
import type { StepRecord } from './run-document.ts';
import { stepsDone } from './settings.ts';
import { type PatchInForce, recordStep } from './step-record.ts';

/** Downscale of the deepest level of Stable Diffusion's UNets. */
const DEEPEST = 8;

/** One run of a model. */
export interface RunTask {
  readonly unet: DenoisingModel;
  readonly settings: RunSettings;
  readonly conditioning: RunConditioning;
  /** What it starts from in the place of noise alone; its strength is that of the settings. */
  readonly start?: DenoiseStart | undefined;
  /** What the model takes behind the sample's own channels. */
  readonly beside?: BesideSample | undefined;
  /** In the place of the seed's noise. */
  readonly noise?: GivenNoise | undefined;
  /** The patch and the parameters of this run; undefined: as the unpatched model does. */
  readonly patch?: PatchInForce | undefined;
  /** Stops the run between two steps. */
  readonly signal?: AbortSignal | undefined;
  /** Called, and waited for, after every step. */
  readonly onStep?: ((step: DenoiseStep) => void | Promise<void>) | undefined;
}

/** What a run came to, whole or stopped. */
export interface RunOutcome {
  readonly stopped: boolean;
  readonly steps: readonly StepRecord[];
  /** After the last step that was done, [batch, rows, columns, channels]; undefined where none was. */
  readonly latents: Float32Array | undefined;
  /** What the model takes the finished latents to be: those themselves at the end, and less noisy before. */
  readonly predictedOriginal: Float32Array | undefined;
}

/**
 * Runs a model to the end, or until it is stopped: what was done until then is kept.
 *
 * @throws SlothfulError `bad-input`, `bad-parameter`, `bad-model` naming the step where the model answers NaN
 */
export async function executeRun(task: RunTask): Promise<RunOutcome> {
  const { patch, onStep, settings, start } = task;
  const { rows, columns } = settings;
  const steps: StepRecord[] = [];
  let last: DenoiseStep | undefined;
  let stopped = false;
  try {
    for await (const step of denoise(optionsOf(task))) {
      last = step;
      steps.push(recordStep(step, patch, { height: rows, width: columns }));
      await onStep?.(step);
    }
  } catch (error) {
    stopped = error instanceof SlothfulError && error.code === 'aborted';
    if (!stopped) throw explained(error, task.settings);
  }
  // Of some parts of a schedule nothing is left to do: then the latents are what the run starts from.
  const latents = last?.latents ?? (stopped ? undefined : start?.latents);
  return { stopped, steps, latents, predictedOriginal: last?.predictedOriginal ?? latents };
}

/** A run that goes on from the latents of another. */
export type NextTask = Pick<RunTask, 'settings' | 'conditioning' | 'patch'>;

/**
 * Runs a model several times, each from the latents that the one before left. Steps are counted through.
 *
 * @throws SlothfulError as `executeRun`
 */
async function executeChain(first: RunTask, others: readonly NextTask[]): Promise<RunOutcome> {
  const total = [first, ...others].reduce((sum, { settings }) => sum + stepsDone(settings), 0);
  const counted = (before: number, step: DenoiseStep) => ({ ...step, index: before + step.index, steps: total });
  let done = await executeRun({ ...first, onStep: (step) => first.onStep?.(counted(0, step)) });
  for (const next of others) {
    if (done.stopped || !done.latents) break;
    const { steps, latents } = done;
    const { settings, conditioning, patch } = next;
    const task = {
      ...first,
      ...{ settings, conditioning, patch, noise: undefined },
      start: { latents, strength: settings.strength ?? 1 },
      onStep: (step: DenoiseStep) => first.onStep?.(counted(steps.length, step)),
    };
    const more = await executeRun(task);
    const later = more.steps.map((step) => ({ ...step, index: steps.length + step.index }));
    // Of one that was stopped before its first step, what was there is kept.
    const kept = {
      latents: more.latents ?? latents,
      predictedOriginal: more.predictedOriginal ?? done.predictedOriginal,
    };
    done = { stopped: more.stopped, steps: [...steps, ...later], ...kept };
  }
  return done;
}

/** A run and, where it was asked for, the same without Slothful Attention. */
export interface ComparedOutcomes {
  readonly plain: RunOutcome | undefined;
  readonly outcome: RunOutcome;
}

/** Which half of a comparison a step is of. */
export type RunHalf = 'plain' | 'patched';

/** A run of which the plain half may be wanted too. */
export interface ComparedTask extends Omit<RunTask, 'onStep'> {
  /** Runs that go on from its latents, each from those of the one before. */
  readonly next?: readonly NextTask[] | undefined;
  /** Also without Slothful Attention, with the same noise; default false. */
  readonly compare?: boolean | undefined;
  readonly onStep?: ((step: DenoiseStep, half: RunHalf) => void | Promise<void>) | undefined;
}

const NOT_BEGUN: RunOutcome = { stopped: true, steps: [], latents: undefined, predictedOriginal: undefined };

/**
 * Runs a model, after the plain run that it is to be compared with. A plain run that is stopped leaves the other undone.
 *
 * @throws SlothfulError as `executeRun`
 */
export async function compareRuns({ compare, onStep, next = [], ...task }: ComparedTask): Promise<ComparedOutcomes> {
  const half = (name: RunHalf) => onStep && ((step: DenoiseStep) => onStep(step, name));
  const unpatched = next.map((task) => ({ ...task, patch: undefined }));
  const plain = compare
    ? await executeChain({ ...task, patch: undefined, onStep: half('plain') }, unpatched)
    : undefined;
  if (plain?.stopped) return { plain, outcome: NOT_BEGUN };
  return { plain, outcome: await executeChain({ ...task, onStep: half('patched') }, next) };
}

/** Models of other exporters often take multiples of their deepest downscale only, and TF.js's message says not so. */
function explained(error: unknown, { rows, columns, scale }: RunSettings): unknown {
  if (!(error instanceof SlothfulError) || error.code !== 'bad-graph') return error;
  if (rows % DEEPEST === 0 && columns % DEEPEST === 0) return error;
  const cure = `its size, ${columns * scale}x${rows * scale}, is no multiple of ${DEEPEST * scale}, which it may need`;
  return new SlothfulError(error.code, error.place, error.problem, cure, { cause: error });
}

function optionsOf({ unet, settings, conditioning, start, beside, noise, patch, signal }: RunTask) {
  const { guidance_scale, image_guidance_scale, guidance_dim, seed, rng, batch_index: batchIndex } = settings;
  const { batch, rows, columns, part } = settings;
  return {
    unet,
    scheduler: schedulerOfSettings(settings),
    ...(guidance_dim ? toldGuidance(conditioning, guidance_scale, guidance_dim) : conditioning),
    guidanceScale: guidance_dim ? 1 : guidance_scale,
    ...{ imageGuidanceScale: image_guidance_scale, beside },
    ...{ height: rows, width: columns, batch, seed: parseSeed(seed, 'seed'), rng, batchIndex },
    ...{ start, noise, signal, addNoise: part?.add_noise },
    ...(patch ? actingPasses(patch) : { slothful: false as const }),
  };
}

/** A model that takes the scale itself is not guided away from anything. */
function toldGuidance({ cond }: RunConditioning, scale: number, width: number): RunConditioning {
  return { cond: { timestep_cond: guidanceEmbedding(scale, width), ...cond } };
}

function actingPasses({ metadata, parameters, passes, idle = [] }: PatchInForce) {
  const off: Record<string, false> = metadata && !parameters ? { slothful: false } : {};
  for (const name of idle) off[name] = false;
  const others: PassChanges = { ...off, ...passes };
  return { control: () => parameters, ...(Object.keys(others).length ? { passes: others } : {}) };
}
