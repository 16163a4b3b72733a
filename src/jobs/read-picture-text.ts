import { SlothfulError } from '../errors.ts';
import { parsePassOption, SLOTHFUL } from '../passes/index.ts';
import { expectPng, readPngText } from '../pictures/node.ts';
import { DECODERS } from '../pipeline/index.ts';
import {
  drawsBatchAtOnce,
  hasSigmas,
  isDiffusersSampler,
  MOST_STEPS,
  type PictureSize,
  PREDICTION_TYPES,
  RNGS,
  seedSetting,
  TIMESTEP_SPACINGS,
} from '../sampling/index.ts';
import { PROMPT_WEIGHTS } from '../text/index.ts';
import type { FolderJob } from './folder-job.ts';
import { parseInfotext } from './infotext.ts';
import { EMPTY_NEGATIVE, NO_PASSES, OFF, OWN, PROGRAM } from './picture-text.ts';
import { readPictureFile } from './read-start.ts';
import { readSamplerTitle, readScheduleTitle } from './sampler-titles.ts';

/** What is said of a run that cannot be made again as it was. */
export interface ReadNote {
  readonly text: string;
  /** With this the note does not hold. */
  readonly flag?: keyof FolderJob | undefined;
}

/** What a picture says of the run that made it. */
export interface ReadRun {
  readonly choices: Partial<FolderJob>;
  /** What cannot be made again as it was, in words; and the field of a job that makes up for it. */
  readonly notes: readonly ReadNote[];
}

/** Fields that name files, which a picture does not hold. */
const FILES: ReadonlyArray<readonly [field: string, flags: string, of: keyof FolderJob]> = [
  ['Init image', '--init-image', 'initImage'],
  ['Mask', '--mask', 'mask'],
  ['Noise', '--noise', 'noise'],
  ['Text', '--cond', 'cond'],
  ['ControlNet 0', '--controlnet and --control-image', 'controlNets'],
  ['IP-Adapter image', '--image-embeds', 'imageEmbeds'],
];

/**
 * Reads the run that a picture was made by, ours or A1111's.
 *
 * @param place the picture, for messages
 * @throws SlothfulError `bad-input` where it names no steps, or a field is not what it should be
 */
export function readPictureText(text: string, place: string): ReadRun {
  const { prompt, negativePrompt, fields } = parseInfotext(text, place);
  if (!fields.has('Steps')) {
    throw new SlothfulError(
      'bad-input',
      place,
      'does not say how it was made',
      "give a picture with A1111's parameters",
    );
  }
  const isOurs = fields.get('Version')?.startsWith(PROGRAM) === true;
  const read = new FieldReader(fields, place);
  const sampler = samplerIn(fields, isOurs);
  const isHires = [...fields.keys()].some((field) => field.startsWith('Hires'));
  const choices: Partial<FolderJob> = {
    ...(fields.has('Text') ? {} : { prompt, negativePrompt: fields.has(EMPTY_NEGATIVE) ? '' : negativePrompt }),
    prompt2: fields.get('Prompt 2'),
    negativePrompt2: fields.get('Negative prompt 2'),
    weights: read.choice('Prompt weights', PROMPT_WEIGHTS) ?? (isOurs ? undefined : 'a1111'),
    clipSkip: read.number('Clip skip'),
    sizes: read.sizes(),
    steps: read.number('Steps'),
    ...sampler.choice,
    spacing: read.choice('Timestep spacing', TIMESTEP_SPACINGS),
    prediction_type: read.choice('Prediction type', PREDICTION_TYPES),
    guidance_scale: read.number('CFG scale'),
    image_guidance_scale: read.number('Image CFG scale'),
    seed: read.seed('Seed'),
    ...noiseIn(read, isOurs),
    part: partIn(read),
    size: read.size('Size'),
    strength: isHires ? undefined : read.number('Denoising strength'),
    decoder: read.choice('Decoder', DECODERS),
    ipAdapterScale: read.number('IP-Adapter scale'),
    patchControlNets: fields.get('ControlNets patched') === 'yes' ? true : undefined,
    parameters: parametersIn(fields.get(OWN), place),
    passes: passesIn(fields, place),
  };
  const files = FILES.filter(([field]) => fields.has(field)).map(([field, flags, flag]) => {
    return { text: `it was made with a file, ${fields.get(field)}: give it with ${flags}`, flag };
  });
  const others = [
    ...sampler.notes,
    ...(isHires ? ['it was enlarged and drawn once more, which is not done here'] : []),
    ...(fields.has(NO_PASSES) ? ["it was made without the model's passes: give the model that is not patched"] : []),
    ...(isOurs ? [] : ['it was made by another program, whose samplers are not the same to the last step']),
  ];
  const notes: ReadNote[] = [...files, ...others.map((text) => ({ text }))];
  return { choices, notes: notes.map(({ text, flag }) => ({ text: `${place}: ${text}`, flag })) };
}

/**
 * Reads the run that made a PNG.
 *
 * @throws SlothfulError `io`, `bad-input` as `readPictureText`, and where it holds no such text
 */
export async function readRunOf(path: string): Promise<ReadRun> {
  const bytes = await readPictureFile(path);
  expectPng(bytes, path);
  const parameters = readPngText(bytes, path).get('parameters');
  if (parameters !== undefined) return readPictureText(parameters, path);
  const cure = 'give a PNG that this toolkit or A1111 has written, or one that was not saved anew since';
  throw new SlothfulError('bad-input', path, 'does not say how it was made', cure);
}

function samplerIn(fields: ReadonlyMap<string, string>, isOurs: boolean) {
  const title = fields.get('Sampler') ?? '';
  const found = readSamplerTitle(title);
  if (!found) {
    const notes = title ? [`there is no sampler ${title}: the model's own is taken`] : [];
    return { choice: {}, notes };
  }
  const { sampler } = found;
  const asked = found.sigmas ?? readScheduleTitle(fields.get('Schedule type'));
  if (!isDiffusersSampler(sampler) || fields.get('Definitions') === 'comfyui') {
    const model_sampling = fields.get('Model sampling') === 'lcm' ? ('lcm' as const) : undefined;
    const rescale_betas_zero_snr = fields.get('Zero SNR') === 'yes' ? true : undefined;
    const choice = { sampler, sigmas: asked, definitions: 'comfyui' as const, model_sampling, rescale_betas_zero_snr };
    return { choice, notes: [] };
  }
  if (!hasSigmas(sampler)) return { choice: { sampler, sigmas: undefined }, notes: [] };
  return { choice: { sampler, sigmas: asked ?? (isOurs ? ('normal' as const) : undefined) }, notes: [] };
}

/** Whose noise it was. A1111 writes where it drew it only where that was not its usual way, which is CUDA's. */
function noiseIn(read: FieldReader, isOurs: boolean): Pick<FolderJob, 'rng' | 'batch' | 'batch_index'> {
  if (!isOurs) return { rng: read.text('RNG') === 'CPU' ? undefined : 'a1111' };
  const rng = read.choice('RNG', RNGS);
  const batch_index = read.text('Batch index')?.split(' ').map(Number);
  return { rng, batch: drawsBatchAtOnce(rng) ? read.number('Batch size') : undefined, batch_index };
}

function partIn(read: FieldReader): FolderJob['part'] {
  const start_at_step = read.number('Start at step');
  if (start_at_step === undefined) return undefined;
  return {
    ...{ start_at_step, end_at_step: read.number('End at step') ?? MOST_STEPS },
    add_noise: read.text('Add noise') !== 'no',
    return_with_leftover_noise: read.text('Leftover noise') === 'yes',
  };
}

/** Slothful Attention's parameters; without their strengths it does nothing. */
function parametersIn(text: string | undefined, place: string): Readonly<Record<string, unknown>> | undefined {
  if (text === undefined) return undefined;
  return text === OFF ? { in_strength: 0, out_strength: 0 } : passIn(SLOTHFUL.name, text, place)[1];
}

function passesIn(fields: ReadonlyMap<string, string>, place: string): FolderJob['passes'] {
  const passes = [...fields].filter(([key]) => key.startsWith('Pass '));
  if (!passes.length) return undefined;
  return Object.fromEntries(passes.map(([key, text]) => passIn(key.slice('Pass '.length), text, place)));
}

/** A pass and its parameters, which stand as `name: value, name: value`; `on` where it has none. */
function passIn(name: string, text: string, place: string): ReturnType<typeof parsePassOption> {
  const settings = text === 'on' ? [] : text.split(', ').map((part) => part.replace(': ', '='));
  return parsePassOption([name, ...settings].join(','), place);
}

/** Fields by their kinds, each checked. */
class FieldReader {
  constructor(
    private readonly fields: ReadonlyMap<string, string>,
    private readonly place: string,
  ) {}

  text(field: string): string | undefined {
    return this.fields.get(field);
  }

  /** A whole number that may have more digits than a double. */
  seed(field: string): number | string | undefined {
    const text = this.fields.get(field);
    if (text === undefined) return undefined;
    return /^\d{1,20}$/.test(text) ? seedSetting(BigInt(text)) : this.refuse(field, 'is no whole number');
  }

  number(field: string): number | undefined {
    const text = this.fields.get(field);
    if (text === undefined) return undefined;
    const value = Number(text);
    return text.trim() && Number.isFinite(value) ? value : this.refuse(field, 'is no number');
  }

  choice<const T extends string>(field: string, known: readonly T[]): T | undefined {
    const text = this.fields.get(field);
    if (text === undefined) return undefined;
    return known.find((each) => each === text) ?? this.refuse(field, `is none of ${known.join(', ')}`);
  }

  size(field: string): PictureSize | undefined {
    const [width, height] = this.pair(field) ?? [];
    return width === undefined || height === undefined ? undefined : { width, height };
  }

  sizes(): FolderJob['sizes'] {
    const [top, left] = this.pair('Crop') ?? [];
    const [original, target] = [this.size('Original size'), this.size('Target size')];
    const crop = top === undefined || left === undefined ? undefined : { top, left };
    return original || target || crop ? { original, target, crop } : undefined;
  }

  private pair(field: string): [number, number] | undefined {
    const text = this.fields.get(field);
    if (text === undefined) return undefined;
    const [, first, second] = /^(\d{1,5})x(\d{1,5})$/.exec(text) ?? [];
    return first && second ? [Number(first), Number(second)] : this.refuse(field, 'is no size');
  }

  private refuse(field: string, problem: string): never {
    const value = (this.fields.get(field) ?? '').slice(0, 40);
    throw new SlothfulError('bad-input', this.place, `its field "${field}" (${JSON.stringify(value)}) ${problem}`);
  }
}
