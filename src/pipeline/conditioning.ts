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

/**
 * The conditioning in the tensors of a file: by the names of the model's inputs, or one tensor of any name that is the
 * text. Text of one image may be [T, C].
 *
 * @param place the file
 * @throws SlothfulError `bad-input` where no tensor is the text
 */
export function tensorConditioning(tensors: ReadonlyMap<string, Values>, place: string): Conditioning {
  const [first, ...others] = [...tensors];
  const named = tensors.get('encoder_hidden_states');
  if (named) return { ...Object.fromEntries(tensors), encoder_hidden_states: asBatch(named, place) };
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

/** @throws SlothfulError `bad-input` where a file has no `image_embeds` */
export function imageEmbedsOf(tensors: ReadonlyMap<string, Values>, place: string): Values {
  const embeds = tensors.get('image_embeds');
  if (embeds) return embeds;
  throw new SlothfulError('bad-input', place, 'has no tensor "image_embeds"', 'name it so');
}

/**
 * Adds an IP-Adapter's image to what a run is told. What it is guided away from is `negative_image_embeds`, or zeros as
 * diffusers takes them.
 *
 * @param tensors `image_embeds`, and perhaps `negative_image_embeds`
 * @param place the file, for messages
 * @throws SlothfulError `bad-input` where there are no `image_embeds`
 */
export function withImageEmbeds(
  { cond, uncond }: RunConditioning,
  tensors: ReadonlyMap<string, Values>,
  place: string,
): RunConditioning {
  const image_embeds = imageEmbedsOf(tensors, place);
  const { shape, data } = image_embeds;
  const away = tensors.get('negative_image_embeds') ?? { shape, data: new Float32Array(data.length) };
  return { cond: { ...cond, image_embeds }, uncond: uncond && { ...uncond, image_embeds: away } };
}
