import { SlothfulError } from '../errors.ts';
import { isObject, type JsonObject } from '../graph/index.ts';
import {
  type Definitions,
  defaultConfig,
  expectSolver,
  isDiffusersSampler,
  isSigmaSchedule,
  modelScheduler,
  type PredictionType,
  type SamplerName,
  type SchedulerConfig,
  type SigmaScheduleComfyUI,
  type SolverConfig,
  type SolverName,
  type TimestepSpacing,
  withSampler,
  withSolver,
} from '../sampling/index.ts';

/** What a user asks of the sampler; what is left open is the model's own. */
export interface SamplerChoice extends Partial<Pick<SolverConfig, 'model_sampling' | 'rescale_betas_zero_snr'>> {
  readonly sampler?: SamplerName | SolverName | undefined;
  readonly sigmas?: SigmaScheduleComfyUI | undefined;
  /**
   * Whose samplers and noise levels these are: several have one name and other numbers. Default: diffusers', but for samplers
   * and sigmas that are ComfyUI's alone.
   */
  readonly definitions?: Definitions | undefined;
  readonly spacing?: TimestepSpacing | undefined;
  readonly prediction_type?: PredictionType | undefined;
}

/** The scheduler of a run, and what was chosen for the user in words. */
export interface ChosenScheduler {
  readonly config: SchedulerConfig | SolverConfig;
  readonly notes: readonly string[];
}

/** A model's own, by diffusers' definitions. */
interface OwnScheduler extends ChosenScheduler {
  readonly config: SchedulerConfig;
}

/**
 * The scheduler of a run: the one that was asked for, or that the model suggests (as one with a fused LCM-LoRA does), or
 * that it was trained with, or DDIM; with the model's own betas and prediction.
 *
 * @throws SlothfulError `bad-parameter`, `unsupported`
 */
export function schedulerOf(metadata: JsonObject, request: SamplerChoice): ChosenScheduler {
  const { sampler } = request;
  const { config, notes } = sampler ? ownConfig(metadata, request) : suggested(metadata, request);
  if (isComfyui(request)) return { config: changedSolver(config, request), notes };
  if (!sampler) return { config: changed(config, request), notes };
  if (!isDiffusersSampler(sampler)) throw notDiffusers('sampler', sampler);
  const own = { ...withSampler(config, sampler), ...spacingOf(metadata, sampler, config) };
  return { config: changed(own, request), notes };
}

/** Whether a choice is of ComfyUI's definitions. */
export function isComfyui({
  definitions,
  sampler,
  sigmas,
  model_sampling,
  rescale_betas_zero_snr,
}: SamplerChoice): boolean {
  if (definitions) return definitions === 'comfyui';
  const isOthers = (sampler && !isDiffusersSampler(sampler)) || (sigmas && !isSigmaSchedule(sigmas));
  return Boolean(isOthers || model_sampling || rescale_betas_zero_snr);
}

function changedSolver(config: SchedulerConfig, request: SamplerChoice): SolverConfig {
  const { sampler = config.type, sigmas = config.sigmas, model_sampling, rescale_betas_zero_snr } = request;
  expectSolver(sampler, 'sampler');
  const solver = withSolver(config, { type: sampler, sigmas, model_sampling, rescale_betas_zero_snr });
  return { ...solver, prediction_type: request.prediction_type ?? solver.prediction_type };
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

function notDiffusers(field: string, value: string): SlothfulError {
  const cure = "take ComfyUI's definitions";
  return new SlothfulError('bad-parameter', field, `"${value}" is none by diffusers' definitions`, cure);
}

function changed(config: SchedulerConfig, { sigmas, spacing, prediction_type }: SamplerChoice): SchedulerConfig {
  if (sigmas && !isSigmaSchedule(sigmas)) throw notDiffusers('sigmas', sigmas);
  return {
    ...config,
    sigmas: sigmas ?? config.sigmas,
    timestep_spacing: spacing ?? config.timestep_spacing,
    prediction_type: prediction_type ?? config.prediction_type,
  };
}

/** The model's own, with the sampler that was asked for: then only its training counts. */
function ownConfig({ scheduler }: JsonObject, { sampler, prediction_type }: SamplerChoice): OwnScheduler {
  if (scheduler === undefined) return { config: defaultConfig('ddim'), notes: [] };
  const isKnown = sampler !== undefined && isDiffusersSampler(sampler);
  // One of ComfyUI's alone takes no more of the model than any other does.
  const type = isKnown ? sampler : sampler && 'euler';
  return modelScheduler(scheduler, { type, prediction_type }, 'metadata.scheduler');
}

function suggested(metadata: JsonObject, request: SamplerChoice): OwnScheduler {
  const { suggested_scheduler: suggestion, scheduler } = metadata;
  if (suggestion === undefined) return ownConfig(metadata, request);
  const fields = isObject(suggestion) ? suggestion : { _class_name: suggestion };
  const own = isObject(scheduler) ? scheduler : {};
  const { config } = modelScheduler(
    { ...own, ...fields },
    request.prediction_type ? { prediction_type: request.prediction_type } : {},
    'metadata.suggested_scheduler',
  );
  return { config, notes: [`the model suggests the sampler ${config.type}, and gets it; --sampler takes another`] };
}
