import { SlothfulError } from '../errors.ts';
import { familyOrUsual } from '../families/index.ts';
import type { Graph, JsonObject } from '../graph/index.ts';
import { unetField } from '../models/index.ts';
import { type BatchPart, type PassParameters, perturbs } from '../passes/index.ts';
import type { Schedule } from '../reports/index.ts';
import {
  batchParts,
  isGuided,
  isSolverConfig,
  modelCalls,
  ownNoiseSeed,
  parseSeed,
  type RunExtent,
  type RunSettings,
  type Seed,
  schedulerOfSettings,
  seedSetting,
} from '../sampling/index.ts';
import type { TakenBeside } from './beside-sample.ts';
import { isComfyui, type SamplerChoice, schedulerOf } from './choose-sampler.ts';

const STEPS = 20;
/** What diffusers' StableDiffusionInstructPix2PixPipeline takes. */
const IMAGE_GUIDANCE = 1.5;
const LCM_STEPS = 4;
/** What small models of pictures need; for others their family knows. */
const PICTURE_GUIDANCE = 2;

/** What a user asks of a run; what is left open is the model's own. */
export interface RunRequest extends SamplerChoice, Partial<Pick<RunSettings, 'part' | 'rng' | 'batch_index'>> {
  /** Default 20, for lcm 4. */
  readonly steps?: number | undefined;
  /** Classifier-free guidance; 1: none. */
  readonly guidance_scale?: number | undefined;
  /** Of a model that changes an image by an instruction: how much the image counts, default 1.5. */
  readonly image_guidance_scale?: number | undefined;
  /** Of the noise, default 0. Above 2^53 as a bigint or in digits. */
  readonly seed?: Seed | string | undefined;
  /**
   * How far the image that the run starts from is noised, above 0 up to 1; undefined: it starts from noise alone. By ComfyUI's
   * definitions it is what its nodes call denoise, also of a run without an image.
   */
  readonly strength?: number | undefined;
}

/** Settings, and in words what was chosen for the user. */
export interface CompletedSettings {
  readonly settings: RunSettings;
  readonly notes: readonly string[];
}

/**
 * Completes what a user asked for by what the model says of itself.
 *
 * @param metadata the model's
 * @param guidable whether there is anything to be guided away from
 * @param taken what the model takes beside its sample
 * @throws SlothfulError `bad-parameter`, `unsupported`
 */
export function completeSettings(
  metadata: JsonObject,
  request: RunRequest,
  extent: RunExtent,
  guidable: boolean,
  taken?: TakenBeside,
): CompletedSettings {
  const { config: scheduler, notes } = schedulerOf(metadata, request);
  const isLcm = scheduler.type === 'lcm';
  const guidance_dim = guidanceWidth(metadata);
  const { steps = isLcm ? LCM_STEPS : STEPS, strength, part, rng, batch_index } = request;
  const usual = isLcm ? 1 : usualGuidance(metadata);
  const guidance_scale = request.guidance_scale ?? (guidance_dim ? TOLD_GUIDANCE : guidable ? usual : 1);
  checkNumber('guidance_scale', guidance_scale);
  const settings: RunSettings = {
    ...{ ...extent, steps, scheduler, guidance_scale, seed: seedOf(request, extent) },
    ...(guidance_dim ? { guidance_dim } : {}),
    ...imageGuidanceOf(request, taken),
    ...(strength === undefined ? {} : { strength }),
    ...(part ? { part } : {}),
    ...(rng ? { rng } : {}),
    ...(batch_index ? { batch_index } : {}),
  };
  checkPart(settings);
  stepsDone(settings);
  const unguided = !guidance_dim && !guidable && usual > 1 && request.guidance_scale === undefined;
  return {
    settings,
    notes: unguided ? [...notes, 'without guidance: nothing to be guided away from was given (--uncond)'] : notes,
  };
}

/** @throws SlothfulError `bad-parameter` */
function checkNumber(name: string, value: number): void {
  if (Number.isFinite(value)) return;
  throw new SlothfulError('bad-parameter', name, `must be a finite number, got ${value}`);
}

/** @throws SlothfulError `usage` for a model that changes no image, `bad-parameter` */
function imageGuidanceOf(
  { image_guidance_scale: asked, strength, ...choice }: RunRequest,
  taken: TakenBeside | undefined,
): Pick<RunSettings, 'image_guidance_scale'> {
  if (taken !== 'image') {
    if (asked === undefined) return {};
    const problem = 'is for a model that changes an image by an instruction (InstructPix2Pix), which this is not';
    throw new SlothfulError('usage', '--image-guidance-scale', problem, 'leave it out');
  }
  if (strength !== undefined && !isComfyui(choice)) {
    const problem = 'is not for a model that changes an image by an instruction: it starts from noise';
    throw new SlothfulError(
      'usage',
      '--strength',
      problem,
      'leave it out: --image-guidance-scale says how much the image counts',
    );
  }
  const image_guidance_scale = asked ?? IMAGE_GUIDANCE;
  checkNumber('image_guidance_scale', image_guidance_scale);
  return { image_guidance_scale };
}

/** @throws SlothfulError `bad-parameter` for a seed that the rng does not have */
function seedOf({ seed: asked = 0, rng }: RunRequest, { batch }: RunExtent): RunSettings['seed'] {
  const seed = parseSeed(asked, 'seed');
  if (rng === undefined || rng === 'slothful') ownNoiseSeed(seed, batch);
  return seedSetting(seed);
}

function checkPart({ part, scheduler }: RunSettings): void {
  if (!part || isSolverConfig(scheduler)) return;
  const problem = "is of ComfyUI's definitions";
  throw new SlothfulError('bad-parameter', 'part', problem, 'set definitions to comfyui, or leave it out');
}

function usualGuidance({ data_space, family }: JsonObject): number {
  const isPicture = data_space !== undefined && data_space !== 'latent';
  return isPicture ? PICTURE_GUIDANCE : familyOrUsual(family).guidanceScale;
}

/** What diffusers' pipeline of such models takes. */
const TOLD_GUIDANCE = 8.5;

/** Width of the embedding of the guidance scale that a model takes in the place of guidance. */
function guidanceWidth(metadata: JsonObject): number | undefined {
  const width = unetField(metadata, 'time_cond_proj_dim');
  return typeof width === 'number' && Number.isInteger(width) && width > 0 ? width : undefined;
}

/** What decides whether a run is guided. */
type Guidance = Pick<RunSettings, 'guidance_scale' | 'image_guidance_scale' | 'guidance_dim' | 'scheduler'>;

/** Whether a run computes what it is guided away from, too. */
export function isGuidedRun({ guidance_scale, image_guidance_scale, guidance_dim, scheduler }: Guidance): boolean {
  const definitions = isSolverConfig(scheduler) ? 'comfyui' : 'diffusers';
  return !guidance_dim && isGuided(guidance_scale, definitions, image_guidance_scale);
}

/** The parts of which the model evaluates each sample at once: for guidance, and for a pass that perturbs one. */
export function evaluatedParts(settings: Guidance, passes: PassParameters): readonly BatchPart[] {
  const isImage = settings.image_guidance_scale !== undefined;
  return batchParts(isGuidedRun(settings), { isImage, isPerturbed: perturbs(passes) });
}

/** The run's samples that the model evaluates at once: guidance doubles them. */
export function evaluatedBatch(settings: Guidance & Pick<RunSettings, 'batch'>, passes: PassParameters): number {
  return evaluatedParts(settings, passes).length * settings.batch;
}

/** Which schedule to make, by the names that `scheduleOf` has had from the first. */
export interface ScheduleChoice extends Pick<RunRequest, 'steps' | 'sampler' | 'sigmas' | 'spacing' | 'definitions'> {
  /** The same as `sampler`. */
  readonly scheduler?: RunRequest['sampler'];
}

/**
 * The timesteps and noise levels that a run of a model goes through: what `planGraph` plans.
 *
 * @throws SlothfulError `bad-parameter`, `unsupported`
 */
export function scheduleOf({ metadata }: Pick<Graph, 'metadata'>, { scheduler, ...choice }: ScheduleChoice): Schedule {
  const request = { ...choice, sampler: choice.sampler ?? scheduler };
  const extent = { rows: 1, columns: 1, batch: 1, scale: 1 };
  const { settings, notes } = completeSettings(metadata, request, extent, true);
  return { ...scheduledSteps(settings), notes };
}

/** The part of the settings that decides the steps. */
type Course = Pick<RunSettings, 'scheduler' | 'steps' | 'strength' | 'part'>;

/**
 * How many steps a run does: of one that starts from an image, not all of its schedule's; and of some of ComfyUI's schedules
 * one more or less than was asked.
 */
export function stepsDone(course: Course): number {
  return callsOf(course).length;
}

function callsOf(course: Course) {
  return modelCalls(schedulerOfSettings(course), course.strength);
}

/** The model's evaluations under settings that are complete, and what they are in words. */
export function scheduledSteps(course: Course): Schedule {
  const { scheduler, steps } = course;
  const calls = callsOf(course);
  const count = calls.length === steps ? `${steps} steps` : `${calls.length} of ${steps} steps`;
  const evaluations = calls.flat();
  const isMore = evaluations.length > calls.length;
  return {
    name: `${scheduler.type}, ${count}, ${spacingName(scheduler)}`,
    steps: evaluations,
    notes: isMore ? [`${scheduler.type} asks the model ${evaluations.length} times: each is a row here`] : [],
  };
}

function spacingName(scheduler: RunSettings['scheduler']): string {
  if (isSolverConfig(scheduler)) return `ComfyUI's ${scheduler.sigmas} sigmas`;
  return scheduler.sigmas === 'karras' ? 'Karras sigmas' : `${scheduler.timestep_spacing} spacing`;
}
