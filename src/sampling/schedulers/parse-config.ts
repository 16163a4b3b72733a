import { suggest } from '../../documents/index.ts';
import { SlothfulError } from '../../errors.ts';
import {
  BETA_SCHEDULES,
  checkConfig,
  defaultConfig,
  hasSigmas,
  PREDICTION_TYPES,
  SAMPLERS,
  type SamplerName,
  type SchedulerConfig,
  SIGMA_SCHEDULES,
  type SigmaSchedule,
  TIMESTEP_SPACINGS,
} from './config.ts';
import { FieldReader } from './field-reader.ts';

/** diffusers' classes and the samplers that stand for them. */
const CLASSES: Readonly<Record<string, SamplerName>> = {
  DDIMScheduler: 'ddim',
  PNDMScheduler: 'ddim',
  EulerDiscreteScheduler: 'euler',
  EulerAncestralDiscreteScheduler: 'euler_ancestral',
  DPMSolverMultistepScheduler: 'dpmpp_2m',
  LCMScheduler: 'lcm',
};

/** Fields that change the numbers and are not built, with the values under which they change nothing. */
const NOT_BUILT: readonly (readonly [field: string, harmless: readonly unknown[]])[] = [
  ['thresholding', [false]],
  ['rescale_betas_zero_snr', [false]],
  ['trained_betas', []],
  ['use_exponential_sigmas', [false]],
  ['use_beta_sigmas', [false]],
  ['use_lu_lambdas', [false]],
  ['use_flow_sigmas', [false]],
  ['algorithm_type', ['dpmsolver++']],
  ['solver_order', [2]],
  ['solver_type', ['midpoint']],
  ['final_sigmas_type', ['zero']],
  ['interpolation_type', ['linear']],
  ['timestep_type', ['discrete']],
  ['sigma_min', []],
  ['sigma_max', []],
];

export interface ParsedScheduler {
  readonly config: SchedulerConfig;
  /** What was replaced by something near it, for people to read. */
  readonly notes: readonly string[];
}

/**
 * A model's scheduler as its metadata (or diffusers' scheduler_config.json) has it.
 *
 * Absent fields are Stable Diffusion's own, see `defaultConfig`. Our names `type`, `sigmas` and `eta` are taken too.
 * Fields that have nothing to do with the numbers are passed over; those that would change them are refused by name.
 *
 * @param place where the object is from, for messages
 * @throws SlothfulError `bad-parameter` naming the field, `unsupported` for what is not built
 */
export function parseSchedulerConfig(value: unknown, place: string): ParsedScheduler {
  const fields = new FieldReader(value, place);
  const type = samplerOf(fields, place);
  refuseNotBuilt(fields, type, place);
  const notes = fields.value('_class_name') === 'PNDMScheduler' && !fields.has('type') ? [PNDM_NOTE] : [];
  return { config: checkConfig(readConfig(fields, type), place), notes };
}

const PNDM_NOTE = 'the model was saved with PNDMScheduler; DDIM with the same timesteps stands for it';

function samplerOf(fields: FieldReader, place: string): SamplerName {
  if (fields.has('type')) return fields.choice('type', SAMPLERS, 'ddim');
  if (!fields.has('_class_name')) return 'ddim';
  const name = String(fields.value('_class_name'));
  const type = Object.hasOwn(CLASSES, name) ? CLASSES[name] : undefined;
  if (type) return type;
  const known = Object.keys(CLASSES);
  const close = suggest(name, known);
  const cure = close ? `did you mean "${close}"?` : `known are ${known.join(', ')}`;
  throw new SlothfulError('unsupported', place, `_class_name "${name}" is no scheduler of ours`, cure);
}

function refuseNotBuilt(fields: FieldReader, type: SamplerName, place: string): void {
  for (const [field, harmless] of NOT_BUILT) {
    const value = fields.value(field);
    if (value === undefined || value === null || harmless.includes(value)) continue;
    // A DDIM or Euler config that was once a DPM-Solver's keeps its fields; they mean nothing there.
    if (SOLVER_FIELDS.includes(field) && type !== 'dpmpp_2m') continue;
    const cure = harmless.length ? `only ${JSON.stringify(harmless[0])} is built` : 'leave it out';
    throw new SlothfulError('unsupported', place, `${field} ${JSON.stringify(value)} is not built`, cure);
  }
}

const SOLVER_FIELDS = ['algorithm_type', 'solver_order', 'solver_type'];

function readConfig(fields: FieldReader, type: SamplerName): SchedulerConfig {
  const defaults = defaultConfig(type);
  const train = fields.integer('num_train_timesteps', 2, 1e6, defaults.num_train_timesteps);
  return {
    type,
    prediction_type: fields.choice('prediction_type', PREDICTION_TYPES, defaults.prediction_type),
    timestep_spacing: fields.choice('timestep_spacing', TIMESTEP_SPACINGS, defaults.timestep_spacing),
    steps_offset: fields.integer('steps_offset', 0, train - 1, defaults.steps_offset),
    set_alpha_to_one: fields.boolean('set_alpha_to_one', defaults.set_alpha_to_one),
    sigmas: sigmasOf(fields, type),
    eta: fields.number('eta', 0, 1, defaults.eta),
    num_train_timesteps: train,
    beta_start: fields.number('beta_start', Number.MIN_VALUE, 0.999, defaults.beta_start),
    beta_end: fields.number('beta_end', Number.MIN_VALUE, 0.999, defaults.beta_end),
    beta_schedule: fields.choice('beta_schedule', BETA_SCHEDULES, defaults.beta_schedule),
    // diffusers writes the field for samplers that never read it (the Euler of SDXL); only where it acts does it count.
    clip_sample: fields.boolean('clip_sample', defaults.clip_sample) && !hasSigmas(type),
    clip_sample_range: fields.number('clip_sample_range', Number.MIN_VALUE, 1e6, defaults.clip_sample_range),
    original_inference_steps: fields.integer('original_inference_steps', 1, train, defaults.original_inference_steps),
    timestep_scaling: fields.number('timestep_scaling', Number.MIN_VALUE, 1e6, defaults.timestep_scaling),
  };
}

function sigmasOf(fields: FieldReader, type: SamplerName): SigmaSchedule {
  if (fields.has('sigmas')) return fields.choice('sigmas', SIGMA_SCHEDULES, 'normal');
  return hasSigmas(type) && fields.boolean('use_karras_sigmas', false) ? 'karras' : 'normal';
}
