import { SlothfulError } from '../errors.ts';
import {
  type Conditioning,
  encodePrompt,
  type GuidedSizes,
  type PictureSize,
  type RunConditioning,
  type TextTable,
  type Values,
  withSizes,
} from '../sampling/index.ts';
import type { Prompts } from '../text/index.ts';

/**
 * The conditioning of a prompt, by the words that a small model carries.
 *
 * @param negative what to be guided away from; by default the empty prompt
 * @throws SlothfulError `bad-input` for words that it has not
 */
export function promptConditioning(table: TextTable, prompt: string, negative = ''): RunConditioning {
  return {
    cond: { encoder_hidden_states: encodePrompt(table, prompt) },
    uncond: { encoder_hidden_states: encodePrompt(table, negative) },
  };
}

/** What `encode_prompt` of diffusers' pipelines calls what it gives. */
const PROMPT_NAMES: Readonly<Record<string, string>> = {
  prompt_embeds: 'encoder_hidden_states',
  pooled_prompt_embeds: 'text_embeds',
};
const NEGATIVE = 'negative_';

/** The input of a model that a tensor of a file is for, by its own name or by that of `encode_prompt`. */
export function inputOfTensor(name: string): string {
  const own = name.startsWith(NEGATIVE) ? name.slice(NEGATIVE.length) : name;
  return PROMPT_NAMES[own] ?? name;
}

/**
 * A file that holds what to be guided away from as well, as `encode_prompt` gives it: the tensors of each half. Undefined
 * where it holds one half only.
 */
export function bothHalves(
  tensors: ReadonlyMap<string, Values>,
): { readonly cond: ReadonlyMap<string, Values>; readonly uncond: ReadonlyMap<string, Values> } | undefined {
  const away = [...tensors].filter(
    ([name]) => name.startsWith(NEGATIVE) && name.slice(NEGATIVE.length) in PROMPT_NAMES,
  );
  if (!away.length) return undefined;
  const names = new Set(away.map(([name]) => name));
  return {
    cond: new Map([...tensors].filter(([name]) => !names.has(name))),
    uncond: new Map(away.map(([name, values]) => [name.slice(NEGATIVE.length), values])),
  };
}

/**
 * The conditioning in the tensors of a file: by the names of the model's inputs, or one tensor of any name that is the
 * text. Text of one image may be [T, C].
 *
 * @param place the file
 * @throws SlothfulError `bad-input` where no tensor is the text
 */
export function tensorConditioning(tensors: ReadonlyMap<string, Values>, place: string): Conditioning {
  const [first, ...others] = [...tensors];
  const renamed = new Map([...tensors].map(([name, values]) => [PROMPT_NAMES[name] ?? name, values] as const));
  const named = renamed.get('encoder_hidden_states');
  if (named) return { ...Object.fromEntries(renamed), encoder_hidden_states: asBatch(named, place) };
  if (first && !others.length) return { encoder_hidden_states: asBatch(first[1], `${place} tensor "${first[0]}"`) };
  const problem = `has ${tensors.size} tensors (${[...tensors.keys()].join(', ') || 'none'})`;
  throw new SlothfulError('bad-input', place, problem, 'give one, or name the text "encoder_hidden_states"');
}

function asBatch({ shape, data }: Values, place: string): Values {
  if (shape.length === 3) return { shape, data };
  if (shape.length === 2) return { shape: [1, ...shape], data };
  throw new SlothfulError('bad-input', place, `is [${shape.join(', ')}]`, 'text is [B, T, C] or [T, C]');
}

/**
 * Adds the `time_ids` that SDXL's kin takes where there are none: the picture's size, uncropped, wanted at that size.
 *
 * @param inputs names of the model's inputs
 * @param pixels of the picture
 * @param sizes that it shall be told in their place
 */
export function withTimeIds(
  { cond, uncond }: RunConditioning,
  inputs: readonly string[],
  pixels: PictureSize,
  sizes: GuidedSizes = {},
): RunConditioning {
  if (!inputs.includes('time_ids') || cond.time_ids) return { cond, uncond };
  return withSizes({ cond, uncond }, pixels, sizes);
}

/** Makes what the model is told of a prompt, or of the tensors that were given in its place. */
export type Conditioner = (prompt: Prompts | undefined) => RunConditioning;

/** The names that an image's embeddings have in files: ours, and that of diffusers' pipelines. */
const IMAGE_EMBEDS = ['image_embeds', 'ip_adapter_image_embeds'] as const;
const NEGATIVE_IMAGE = 'negative_image_embeds';

/** Whether a tensor of this name is of an IP-Adapter's image. */
export function isImageEmbeds(name: string): boolean {
  return name === NEGATIVE_IMAGE || IMAGE_EMBEDS.some((known) => known === name);
}

/** @throws SlothfulError `bad-input` where a file has no `image_embeds` */
export function imageEmbedsOf(tensors: ReadonlyMap<string, Values>, place: string): Values {
  const found = IMAGE_EMBEDS.map((name) => tensors.get(name)).find((embeds) => embeds !== undefined);
  if (found) return found;
  throw new SlothfulError('bad-input', place, 'has no tensor "image_embeds"', 'name it so');
}

/**
 * Adds an IP-Adapter's image to what a run is told. What it is guided away from is `negative_image_embeds`, or zeros as
 * diffusers takes them for embeddings; for hidden states (the plus and the full-face adapters) it encodes a black image, which
 * has to be given.
 *
 * @param tensors `image_embeds` [B, D] or [B, 1, D], and perhaps `negative_image_embeds`; or both in one tensor [2, 1, D],
 *   the negative first, as `prepare_ip_adapter_image_embeds` of diffusers makes it with guidance. Of hidden states [B, 257, D]
 *   or [B, 1, 257, D], and [2, 1, 257, D]
 * @param place the file, for messages
 * @param rank of the model's input: 2 for embeddings, 3 for hidden states
 * @throws SlothfulError `bad-input` where there are no `image_embeds`, or none to be guided away from; `unsupported` for several
 *   images a prompt
 */
export function withImageEmbeds(
  { cond, uncond }: RunConditioning,
  tensors: ReadonlyMap<string, Values>,
  place: string,
  rank = 2,
): RunConditioning {
  const whole = imageEmbedsOf(tensors, place);
  const given = tensors.get(NEGATIVE_IMAGE);
  const isBoth = !given && uncond !== undefined && whole.shape.length === rank + 1 && whole.shape[0] === 2;
  const [first, second] = isBoth ? halvesOf(whole) : [given, whole];
  const image_embeds = oneImage(second ?? whole, place, rank);
  if (!uncond) return { cond: { ...cond, image_embeds }, uncond };
  if (!first && rank > 2) {
    const problem = `has no "${NEGATIVE_IMAGE}", and the adapter takes hidden states`;
    throw new SlothfulError('bad-input', place, problem, 'add those of a black image, or set --guidance-scale 1');
  }
  const { shape, data } = image_embeds;
  const away = first ? oneImage(first, place, rank) : { shape, data: new Float32Array(data.length) };
  return { cond: { ...cond, image_embeds }, uncond: { ...uncond, image_embeds: away } };
}

function halvesOf({ shape: [, ...rest], data }: Values): [Values, Values] {
  const half = data.length / 2;
  const part = (from: number): Values => ({ shape: [1, ...rest], data: data.slice(from, from + half) });
  return [part(0), part(half)];
}

/** Without the axis of images, which must be one. */
function oneImage({ shape, data }: Values, place: string, rank: number): Values {
  const [batch = 1, images = 1, ...rest] = shape;
  if (shape.length !== rank + 1) return { shape, data };
  if (images === 1) return { shape: [batch, ...rest], data };
  const problem = `"image_embeds" [${shape.join(', ')}] is of ${images} images a prompt, and one is built`;
  const fits = rank === 2 ? '[B, D] or [B, 1, D]' : '[B, tokens, D] or [B, 1, tokens, D]';
  throw new SlothfulError('unsupported', place, problem, `give ${fits}`);
}
