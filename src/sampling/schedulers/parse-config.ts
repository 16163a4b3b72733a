import {
  anything,
  choice,
  type FixedFields,
  flag,
  foreignObject,
  integer,
  type JsonObject,
  optional,
  type ReadOptions,
  readDocument,
  suggest,
  table,
  unbuiltFields,
  withDefaults,
} from '../../documents/index.ts';
import { SlothfulError } from '../../errors.ts';
import {
  checkConfig,
  defaultConfig,
  hasSigmas,
  SAMPLERS,
  type SamplerName,
  SCHEDULER_FIELDS,
  type SchedulerConfig,
  SIGMA_SCHEDULES,
} from './config.ts';

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
const NOT_BUILT: FixedFields = [
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
  const at: ReadOptions = { place, code: 'bad-parameter', nulls: 'absent' };
  const fields = readDocument(table(anything()), value, at);
  const type = samplerOf(fields, at);
  refuseNotBuilt(fields, type, place);
  const isPndm = fields._class_name === 'PNDMScheduler' && (fields.type ?? undefined) === undefined;
  return { config: checkConfig(readConfig(fields, type, at), place), notes: isPndm ? [PNDM_NOTE] : [] };
}

const PNDM_NOTE = 'the model was saved with PNDMScheduler; DDIM with the same timesteps stands for it';

function samplerOf(fields: JsonObject, at: ReadOptions): SamplerName {
  const { type } = readDocument(foreignObject({ type: optional(choice(SAMPLERS)) }), fields, at);
  const name = String(fields._class_name ?? 'DDIMScheduler');
  const ours = type ?? (Object.hasOwn(CLASSES, name) ? CLASSES[name] : undefined);
  if (ours) return ours;
  const known = Object.keys(CLASSES);
  const close = suggest(name, known);
  const cure = close ? `did you mean "${close}"?` : `known are ${known.join(', ')}`;
  throw new SlothfulError('unsupported', at.place, `_class_name "${name}" is no scheduler of ours`, cure);
}

function refuseNotBuilt(fields: JsonObject, type: SamplerName, place: string): void {
  for (const { name, value, harmless } of unbuiltFields(fields, NOT_BUILT)) {
    // A DDIM or Euler config that was once a DPM-Solver's keeps its fields; they mean nothing there.
    if (SOLVER_FIELDS.includes(name) && type !== 'dpmpp_2m') continue;
    const cure = harmless.length ? `only ${JSON.stringify(harmless[0])} is built` : 'leave it out';
    throw new SlothfulError('unsupported', place, `${name} ${JSON.stringify(value)} is not built`, cure);
  }
}

const SOLVER_FIELDS = ['algorithm_type', 'solver_order', 'solver_type'];

function readConfig(fields: JsonObject, type: SamplerName, at: ReadOptions): SchedulerConfig {
  const defaults = defaultConfig(type);
  const { num_train_timesteps } = SCHEDULER_FIELDS;
  const training = withDefaults({ num_train_timesteps }, defaults);
  const { num_train_timesteps: trained } = readDocument(foreignObject(training), fields, at);
  const own = {
    ...SCHEDULER_FIELDS,
    steps_offset: integer({ minimum: 0, maximum: trained - 1 }),
    original_inference_steps: integer({ minimum: 1, maximum: trained }),
  };
  const diffusers = { sigmas: optional(choice(SIGMA_SCHEDULES)), use_karras_sigmas: flag({ default: false }) };
  const schema = foreignObject({ ...withDefaults(own, defaults), ...diffusers });
  const { use_karras_sigmas, ...config } = readDocument(schema, fields, at);
  return {
    ...config,
    type,
    sigmas: config.sigmas ?? (hasSigmas(type) && use_karras_sigmas ? 'karras' : 'normal'),
    // diffusers writes the field for samplers that never read it (the Euler of SDXL); only where it acts does it count.
    clip_sample: config.clip_sample && !hasSigmas(type),
  };
}
