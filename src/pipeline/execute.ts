import { SlothfulError } from '../errors.ts';
import type { PassChanges } from '../passes/index.ts';
import {
  type DenoiseStart,
  type DenoiseStep,
  type DenoisingModel,
  denoise,
  type GivenNoise,
  makeScheduler,
  type RunConditioning,
  type RunSettings,
} from '../sampling/index.ts';
import type { StepRecord } from './run-document.ts';
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
  const { patch, onStep } = task;
  const steps: StepRecord[] = [];
  let last: DenoiseStep | undefined;
  let stopped = false;
  try {
    for await (const step of denoise(optionsOf(task))) {
      last = step;
      steps.push(recordStep(step, patch));
      await onStep?.(step);
    }
  } catch (error) {
    stopped = error instanceof SlothfulError && error.code === 'aborted';
    if (!stopped) throw explained(error, task.settings);
  }
  return { stopped, steps, latents: last?.latents, predictedOriginal: last?.predictedOriginal };
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
export async function compareRuns({ compare, onStep, ...task }: ComparedTask): Promise<ComparedOutcomes> {
  const half = (name: RunHalf) => onStep && ((step: DenoiseStep) => onStep(step, name));
  const plain = compare ? await executeRun({ ...task, patch: undefined, onStep: half('plain') }) : undefined;
  if (plain?.stopped) return { plain, outcome: NOT_BEGUN };
  return { plain, outcome: await executeRun({ ...task, onStep: half('patched') }) };
}

/** Models of other exporters often take multiples of their deepest downscale only, and TF.js's message says not so. */
function explained(error: unknown, { rows, columns, scale }: RunSettings): unknown {
  if (!(error instanceof SlothfulError) || error.code !== 'bad-graph') return error;
  if (rows % DEEPEST === 0 && columns % DEEPEST === 0) return error;
  const cure = `its size, ${columns * scale}x${rows * scale}, is no multiple of ${DEEPEST * scale}, which it may need`;
  return new SlothfulError(error.code, error.place, error.problem, cure, { cause: error });
}

function optionsOf({ unet, settings, conditioning, start, noise, patch, signal }: RunTask) {
  const { steps, scheduler, guidance_scale, seed, batch, rows, columns } = settings;
  return {
    unet,
    scheduler: makeScheduler(scheduler, steps),
    ...conditioning,
    guidanceScale: guidance_scale,
    ...{ height: rows, width: columns, batch, seed, start, noise, signal },
    ...(patch ? actingPasses(patch) : { slothful: false as const }),
  };
}

function actingPasses({ metadata, parameters, passes }: PatchInForce) {
  const off: PassChanges = metadata && !parameters ? { slothful: false } : {};
  const others: PassChanges = { ...off, ...passes };
  return { control: () => parameters, ...(Object.keys(others).length ? { passes: others } : {}) };
}
