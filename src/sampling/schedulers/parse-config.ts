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
import { checkConfig, defaultConfig, hasSigmas, SCHEDULER_FIELDS, type SchedulerConfig } from './config.ts';
import { SAMPLERS, type SamplerName, SCHEDULER_CLASSES, samplerOf } from './registry.ts';
import { SIGMA_SCHEDULES } from './settings.ts';

/** Fields that change the numbers and are not built, with the values under which they change nothing. */
const NOT_BUILT: FixedFields = [
  ['thresholding', [false]],
  ['rescale_betas_zero_snr', [false]],
  ['trained_betas', []],
  ['use_exponential_sigmas', [false]],
  ['use_beta_sigmas', [false]],
  ['use_lu_lambdas', [false]],
  ['use_flow_sigmas', [false]],
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
  const { type, note } = chosenSampler(fields, at);
  refuseNotBuilt(fields, type, place);
  return { config: checkConfig(readConfig(fields, type, at), place), notes: note === undefined ? [] : [note] };
}

/** The sampler by our own name or by diffusers' class, and what a user is told of a class that it only comes near to. */
function chosenSampler(fields: JsonObject, at: ReadOptions): { type: SamplerName; note?: string | undefined } {
  const { type } = readDocument(foreignObject({ type: optional(choice(SAMPLERS)) }), fields, at);
  if (type) return { type };
  const name = String(fields._class_name ?? 'DDIMScheduler');
  const ours = SCHEDULER_CLASSES.get(name);
  if (ours) return ours;
  const known = [...SCHEDULER_CLASSES.keys()];
  const close = suggest(name, known);
  const cure = close ? `did you mean "${close}"?` : `known are ${known.join(', ')}`;
  throw new SlothfulError('unsupported', at.place, `_class_name "${name}" is not a scheduler of ours`, cure);
}

function refuseNotBuilt(fields: JsonObject, type: SamplerName, place: string): void {
  // Fields of one sampler alone are left in the configs of others that a model was once used with, and mean nothing there.
  const fixed = [...NOT_BUILT, ...(samplerOf(type).fixed ?? [])];
  for (const { name, value, harmless } of unbuiltFields(fields, fixed)) {
    const cure = harmless.length ? `only ${JSON.stringify(harmless[0])} is built` : 'leave it out';
    throw new SlothfulError('unsupported', place, `${name} ${JSON.stringify(value)} is not built`, cure);
  }
}

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
