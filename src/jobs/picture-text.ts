import { basename, dirname } from 'node:path';
import type { ResolvedRun, RunSource } from '../pipeline/index.ts';
import { drawsBatchAtOnce, isSolverConfig, type PictureSize, pictureSeed } from '../sampling/index.ts';
import { formatInfotext } from './infotext.ts';
import { AUTOMATIC, samplerTitle, scheduleTitle } from './sampler-titles.ts';

/** The picture that a text is for. */
export interface PictureOfRun {
  readonly source: RunSource;
  readonly run: ResolvedRun;
  /** Which of the batch. */
  readonly image: number;
  /** What decoded it. */
  readonly decoder?: string | undefined;
  /** Of the plain half of a comparison. */
  readonly isPlain: boolean;
}

/** Names of fields and values that `readPictureText` looks for. */
export const PROGRAM = 'slothful-attention';
export const OWN = 'Slothful Attention';
export const OFF = 'off';
export const NO_PASSES = 'Passes';
export const EMPTY_NEGATIVE = 'Empty negative prompt';

/** What is written into a picture: A1111's fields, and then ours, by which `--from` makes it again. */
export function pictureText(picture: PictureOfRun): string {
  const { source, run, image } = picture;
  const of = (all: readonly string[] | undefined, one: string | null) => {
    const share = all ? Math.floor((image * all.length) / run.settings.batch) : 0;
    return all?.[share] ?? one ?? undefined;
  };
  const fields = { ...usualFields(picture), ...ownFields(picture, of) };
  const given = Object.entries(fields).flatMap(([key, value]) =>
    value === undefined ? [] : [[key, String(value)] as const],
  );
  return formatInfotext({
    prompt: of(source.prompts, source.prompt) ?? '',
    negativePrompt: of(source.negative_prompts, source.negative_prompt),
    fields: new Map(given),
  });
}

function usualFields({ source, run: { settings }, image }: PictureOfRun) {
  const { scheduler, steps, guidance_scale, image_guidance_scale, columns, rows, scale, strength } = settings;
  return {
    Steps: steps,
    Sampler: samplerTitle(scheduler.type),
    'Schedule type': scheduleField(scheduler),
    'CFG scale': guidance_scale,
    'Image CFG scale': image_guidance_scale,
    ...seedFields(settings, image),
    Size: `${columns * scale}x${rows * scale}`,
    Model: modelName(source),
    'Denoising strength': strength,
    'Clip skip': source.text?.clip_skip,
  };
}

/** The folder of a model, without its path. An address may carry a signature, and pictures are shared. */
export function modelName({ model }: Pick<RunSource, 'model'>): string {
  const folder = model.replace(/[?#].*$/, '').replace(/[\\/](?:unet[\\/])?model\.json$/, '');
  return basename(folder) || basename(dirname(folder));
}

/** What a picture was noised with. A batch of ComfyUI's is one draw: a picture of it is made again with the others. */
function seedFields(settings: ResolvedRun['settings'], image: number) {
  const { seed, rng, batch, batch_index } = settings;
  const isOneDraw = drawsBatchAtOnce(rng);
  const several = isOneDraw && batch > 1 ? { 'Batch size': batch, 'Batch pos': image } : {};
  return {
    Seed: isOneDraw ? seed : pictureSeed(settings, image),
    RNG: rng,
    ...several,
    'Batch index': batch_index?.join(' '),
  };
}

function scheduleField(scheduler: ResolvedRun['settings']['scheduler']): string {
  const isNamed = isSolverConfig(scheduler) || scheduler.sigmas === 'karras';
  return isNamed ? scheduleTitle(scheduler.sigmas) : AUTOMATIC;
}

/** What else is said of a sampler by ComfyUI's definitions. */
function solverFields({ scheduler, part }: ResolvedRun['settings']) {
  if (!isSolverConfig(scheduler)) return { 'Timestep spacing': scheduler.timestep_spacing };
  return {
    Definitions: scheduler.definitions,
    'Model sampling': scheduler.model_sampling,
    'Zero SNR': scheduler.rescale_betas_zero_snr ? 'yes' : undefined,
    'Start at step': part?.start_at_step,
    'End at step': part?.end_at_step,
    'Add noise': part && (part.add_noise ? 'yes' : 'no'),
    'Leftover noise': part && (part.return_with_leftover_noise ? 'yes' : 'no'),
  };
}

type PromptOf = (all: readonly string[] | undefined, one: string | null) => string | undefined;

function ownFields({ source, run, decoder, isPlain }: PictureOfRun, of: PromptOf) {
  const { text = {}, start = {}, companions } = source;
  const { scheduler } = run.settings;
  const sizeText = (size: PictureSize | undefined) => size && `${size.width}x${size.height}`;
  const { original, crop, target } = text.sizes ?? {};
  const files = companions.controlnets.map(({ model, image, scale }, index) => {
    return [`ControlNet ${index}`, `Model: ${basename(model)}, Image: ${basename(image)}, Weight: ${scale}`] as const;
  });
  return {
    'Prompt 2': of(text.prompt_2, null),
    'Negative prompt 2': of(text.negative_prompt_2, null),
    [EMPTY_NEGATIVE]: of(source.negative_prompts, source.negative_prompt) === '' ? 'yes' : undefined,
    'Prompt weights': text.weights,
    'Original size': sizeText(original),
    Crop: crop && `${crop.top}x${crop.left}`,
    'Target size': sizeText(target),
    ...solverFields(run.settings),
    'Prediction type': scheduler.prediction_type,
    'Init image': start.init_image && basename(start.init_image),
    Mask: start.mask && basename(start.mask),
    Noise: start.noise && basename(start.noise),
    Text: source.cond === null ? undefined : basename(source.cond),
    ...Object.fromEntries(files),
    'IP-Adapter image': companions.image_embeds === null ? undefined : basename(companions.image_embeds),
    'IP-Adapter scale': companions.ip_adapter_scale ?? undefined,
    'ControlNets patched': companions.controlnets_patched ? 'yes' : undefined,
    Decoder: decoder === 'vae' ? undefined : decoder,
    ...passFields(run, isPlain),
    Version: `${PROGRAM} ${source.version}`,
  };
}

function passFields({ parameters, passes }: ResolvedRun, isPlain: boolean): Record<string, string | undefined> {
  const listed = (values: object) =>
    Object.entries(values)
      .map(([name, value]) => `${name}: ${value}`)
      .join(', ');
  if (isPlain) return { [OWN]: OFF, ...(Object.keys(passes).length ? { [NO_PASSES]: OFF } : {}) };
  const peers = Object.entries(passes).map(([name, values]) => [`Pass ${name}`, listed(values) || 'on'] as const);
  return { [OWN]: parameters && listed(parameters), ...Object.fromEntries(peers) };
}
