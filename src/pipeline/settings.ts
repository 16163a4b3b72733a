import { SlothfulError } from '../errors.ts';
import { familyOrUsual } from '../families/index.ts';
import { type Graph, isObject, type JsonObject } from '../graph/index.ts';
import type { Schedule } from '../reports/index.ts';
import {
  checkSeed,
  defaultConfig,
  firstStep,
  makeScheduler,
  type ParsedScheduler,
  type PredictionType,
  parseSchedulerConfig,
  type RunExtent,
  type RunSettings,
  type SamplerName,
  type SchedulerConfig,
  type SigmaSchedule,
  type TimestepSpacing,
  withSampler,
} from '../sampling/index.ts';

const STEPS = 20;
const LCM_STEPS = 4;
/** What small models of pictures need; for others their family knows. */
const PICTURE_GUIDANCE = 2;

/** What a user asks of a run; what is left open is the model's own. */
export interface RunRequest {
  /** Default 20, for lcm 4. */
  readonly steps?: number | undefined;
  readonly sampler?: SamplerName | undefined;
  readonly sigmas?: SigmaSchedule | undefined;
  readonly spacing?: TimestepSpacing | undefined;
  readonly prediction_type?: PredictionType | undefined;
  /** Classifier-free guidance; 1: none. */
  readonly guidance_scale?: number | undefined;
  /** Of the noise, default 0. */
  readonly seed?: number | undefined;
  /** How far the image that the run starts from is noised, above 0 up to 1; undefined: it starts from noise alone. */
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
 * @throws SlothfulError `bad-parameter`, `unsupported`
 */
export function completeSettings(
  metadata: JsonObject,
  request: RunRequest,
  extent: RunExtent,
  guidable: boolean,
): CompletedSettings {
  const { config, notes } = schedulerOf(metadata, request);
  const isLcm = config.type === 'lcm';
  const steps = request.steps ?? (isLcm ? LCM_STEPS : STEPS);
  makeScheduler(config, steps);
  firstStep(steps, request.strength);
  const seed = checkSeed(request.seed ?? 0);
  checkSeed(seed + extent.batch - 1);
  const usual = isLcm ? 1 : usualGuidance(metadata);
  const guidance_scale = request.guidance_scale ?? (guidable ? usual : 1);
  if (!Number.isFinite(guidance_scale)) {
    throw new SlothfulError('bad-parameter', 'guidance_scale', `must be a finite number, got ${guidance_scale}`);
  }
  const unguided = !guidable && usual > 1 && request.guidance_scale === undefined;
  return {
    settings: {
      ...{ ...extent, steps, scheduler: config, guidance_scale, seed },
      ...(request.strength === undefined ? {} : { strength: request.strength }),
    },
    notes: unguided ? [...notes, 'without guidance: nothing to be guided away from was given (--uncond)'] : notes,
  };
}

function usualGuidance({ data_space, family }: JsonObject): number {
  const isPicture = data_space !== undefined && data_space !== 'latent';
  return isPicture ? PICTURE_GUIDANCE : familyOrUsual(family).guidanceScale;
}

/** The run's samples that the model evaluates at once: guidance doubles them. */
export function evaluatedBatch({ batch, guidance_scale }: Pick<RunSettings, 'batch' | 'guidance_scale'>): number {
  return guidance_scale > 1 ? 2 * batch : batch;
}

/** Which schedule to make, by the names that `scheduleOf` has had from the first. */
export interface ScheduleChoice extends Pick<RunRequest, 'steps' | 'sampler' | 'sigmas' | 'spacing'> {
  /** The same as `sampler`. */
  readonly scheduler?: SamplerName | undefined;
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

/** How many steps a run does: of one that starts from an image, not all of its schedule's. */
export function stepsDone({ steps, strength }: Pick<RunSettings, 'steps' | 'strength'>): number {
  return steps - firstStep(steps, strength);
}

/** The steps of settings that are complete, and what they are in words. */
export function scheduledSteps(settings: Pick<RunSettings, 'scheduler' | 'steps' | 'strength'>): Schedule {
  const { scheduler, steps } = settings;
  const { timesteps, sigmas } = makeScheduler(scheduler, steps);
  const spacing = scheduler.sigmas === 'karras' ? 'Karras sigmas' : `${scheduler.timestep_spacing} spacing`;
  const done = stepsDone(settings);
  const count = done === steps ? `${steps} steps` : `the last ${done} of ${steps} steps`;
  return {
    name: `${scheduler.type}, ${count}, ${spacing}`,
    steps: timesteps.map((timestep, index) => ({ timestep, sigma: sigmas[index] ?? 0 })).slice(steps - done),
    notes: [],
  };
}

/**
 * The scheduler of a run: the one that was asked for, or that the model suggests (as one with a fused LCM-LoRA does), or
 * that it was trained with, or DDIM; with the model's own betas and prediction.
 */
function schedulerOf(metadata: JsonObject, request: RunRequest): ParsedScheduler {
  const { config, notes } = request.sampler ? { config: ownConfig(metadata).config, notes: [] } : suggested(metadata);
  if (!request.sampler) return { config: changed(config, request), notes };
  const sampler = { ...withSampler(config, request.sampler), ...spacingOf(metadata, request.sampler, config) };
  return { config: changed(sampler, request), notes };
}

/** A spacing that the model's config does not say is the new sampler's own: as in diffusers, defaults are not carried over. */
function spacingOf(
  { scheduler }: JsonObject,
  type: SamplerName,
  own: SchedulerConfig,
): Pick<SchedulerConfig, 'timestep_spacing'> {
  const isSaid = isObject(scheduler) && scheduler.timestep_spacing !== undefined && scheduler.timestep_spacing !== null;
  const { timestep_spacing } = isSaid || type === own.type ? own : defaultConfig(type);
  return { timestep_spacing };
}

function changed(config: SchedulerConfig, { sigmas, spacing, prediction_type }: RunRequest): SchedulerConfig {
  return {
    ...config,
    sigmas: sigmas ?? config.sigmas,
    timestep_spacing: spacing ?? config.timestep_spacing,
    prediction_type: prediction_type ?? config.prediction_type,
  };
}

function ownConfig({ scheduler }: JsonObject): ParsedScheduler {
  if (scheduler === undefined) return { config: defaultConfig('ddim'), notes: [] };
  return parseSchedulerConfig(scheduler, 'metadata.scheduler');
}

function suggested(metadata: JsonObject): ParsedScheduler {
  const { suggested_scheduler: suggestion, scheduler } = metadata;
  if (suggestion === undefined) return ownConfig(metadata);
  const fields = isObject(suggestion) ? suggestion : { _class_name: suggestion };
  const own = isObject(scheduler) ? scheduler : {};
  const { config } = parseSchedulerConfig({ ...own, ...fields }, 'metadata.suggested_scheduler');
  return { config, notes: [`the model suggests the sampler ${config.type}, and gets it; --sampler takes another`] };
}
