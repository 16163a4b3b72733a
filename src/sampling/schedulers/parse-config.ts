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
  SCHEDULER_FIELDS,
  type SchedulerConfig,
  withSampler,
} from './config.ts';
import { SAMPLERS, type SamplerName, SCHEDULER_CLASSES, samplerOf } from './registry.ts';
import { SIGMA_SCHEDULES } from './settings.ts';

/** Fields that change the numbers and are not built, with the values under which they change nothing. */
const NOT_BUILT: FixedFields = [
  ['thresholding', [false]],
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

/**
 * The scheduler of a model for a run of it: what is not built is stood for by what comes near, or left out, and told, so
 * that no model is unusable for how its author sampled it.
 *
 * @param asked what a user asks for in the place of the model's own; with a sampler, only the training is the model's
 * @param place where the object is from, for messages
 * @throws SlothfulError `bad-parameter` naming a field with a value that cannot be
 */
export function modelScheduler(value: unknown, asked: AskedScheduler, place: string): ParsedScheduler {
  const at: ReadOptions = { place, code: 'bad-parameter', nulls: 'absent' };
  const own = { ...readDocument(table(anything()), value, at), ...givenFields(asked) };
  const { type, note } = asked.type ? { type: asked.type, note: undefined } : nearestSampler(own, at);
  const unbuilt = unbuiltOf(own, type);
  // What a stranger clipped is no guide: diffusers' pipelines of latents never clip.
  const isKnown = typeof own._class_name !== 'string' || SCHEDULER_CLASSES.has(own._class_name);
  const left = new Set([...unbuilt.map(({ name }) => name), ...(isKnown ? [] : ['clip_sample'])]);
  const fields = Object.fromEntries(Object.entries(own).filter(([name]) => !left.has(name)));
  const dropped = asked.type ? unbuilt.filter(({ name }) => TRAINING.has(name)) : unbuilt;
  const notes = dropped.map(({ name, value: field }) => {
    return `the model's scheduler has ${name} ${JSON.stringify(field)}, which is not built and left out: --sampler and --sigmas choose`;
  });
  const config = readConfig(fields, type, at);
  return { config: withSampler(config, type), notes: [...(note === undefined ? [] : [note]), ...notes] };
}

/** What a user may ask for in the place of a model's own. */
export interface AskedScheduler {
  readonly type?: SamplerName | undefined;
  readonly prediction_type?: SchedulerConfig['prediction_type'] | undefined;
}

/** Fields that say how a model was trained, not how it is sampled. */
const TRAINING: ReadonlySet<string> = new Set(['trained_betas']);

function givenFields({ prediction_type }: AskedScheduler): JsonObject {
  return prediction_type ? { prediction_type } : {};
}

function nearestSampler(fields: JsonObject, at: ReadOptions): { type: SamplerName; note?: string | undefined } {
  if (fields.type !== undefined || typeof fields._class_name !== 'string') return chosenSampler(fields, at);
  const name = fields._class_name;
  const known = SCHEDULER_CLASSES.get(name);
  if (known) return known;
  const type = NEAREST.find(([pattern]) => pattern.test(name))?.[1] ?? 'ddim';
  return {
    type,
    note: `the model was saved with ${name.slice(0, 60)}; ${type} stands for it, --sampler takes another`,
  };
}

/** The samplers that come nearest to diffusers' other classes. */
const NEAREST: readonly (readonly [name: RegExp, SamplerName])[] = [
  [/Ancestral|DPMSolverSDE/, 'euler_ancestral'],
  [/DPMSolver|DEIS|UniPC|SASolver/, 'dpmpp_2m'],
  [/Heun|KDPM2|LMS|EDM|Euler/, 'euler'],
  [/TCD|LCM/, 'lcm'],
];

/**
 * What is asked for and not built. Fields of one sampler alone are left in the configs of others that a model was once used
 * with, and mean nothing there.
 */
function unbuiltOf(fields: JsonObject, type: SamplerName) {
  return unbuiltFields(fields, [...NOT_BUILT, ...(samplerOf(type).fixed ?? [])]);
}

function refuseNotBuilt(fields: JsonObject, type: SamplerName, place: string): void {
  for (const { name, value, harmless } of unbuiltOf(fields, type)) {
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
  const { use_karras_sigmas, rescale_betas_zero_snr, ...config } = readDocument(schema, fields, at);
  return {
    ...config,
    ...(rescale_betas_zero_snr ? { rescale_betas_zero_snr } : {}),
    type,
    sigmas: config.sigmas ?? (hasSigmas(type) && use_karras_sigmas ? 'karras' : 'normal'),
    // diffusers writes the field for samplers that never read it (the Euler of SDXL); only where it acts does it count.
    clip_sample: config.clip_sample && !hasSigmas(type),
  };
}
