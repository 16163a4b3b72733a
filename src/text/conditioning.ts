import { SlothfulError } from '../errors.ts';
import type { Conditioning, RunConditioning, Values } from '../sampling/index.ts';
import { stacked } from '../tensors/index.ts';
import {
  type EncodedPrompt,
  encodedTokens,
  encodePrompts,
  type HiddenLayer,
  type PromptEncoder,
} from './encode-prompts.ts';
import { isA1111, type PromptWeights } from './prompt-weights.ts';
import type { ClipTokenizer } from './tokenizer.ts';

/** The text side of a model. */
export interface TextModel {
  /** One; SDXL's two in their order. */
  readonly encoders: readonly PromptEncoder[];
  /** model_index.json's `force_zeros_for_empty_prompt`: where no negative prompt is given, its text is zeros. */
  readonly zeroNegative?: boolean | undefined;
}

/** As much of a text model as decides which texts are encoded. */
interface CountedModel extends Pick<TextModel, 'zeroNegative'> {
  readonly encoders: readonly unknown[];
}

/** One text for every picture, or one for each. */
export type Prompts = string | readonly string[];

/** The texts one by one. */
export function promptList(prompts: Prompts | undefined): readonly string[] {
  if (prompts === undefined) return [];
  return typeof prompts === 'string' ? [prompts] : prompts;
}

/** What is to be drawn. */
export interface PromptRequest {
  readonly prompt: Prompts;
  /** What to be guided away from. Not given is not the same as empty: SDXL then takes zeros. */
  readonly negative?: Prompts | undefined;
  /** Other texts for SDXL's second encoder; by default the same. */
  readonly prompt_2?: Prompts | undefined;
  readonly negative_2?: Prompts | undefined;
  /** ComfyUI's by default. */
  readonly weights?: PromptWeights | undefined;
  /** Layers of the encoder counted as in A1111: 1 is the last, 2 the penultimate. */
  readonly clipSkip?: number | undefined;
  /** False where nothing guides (scale at most 1): then `uncond` is not made. */
  readonly guided?: boolean | undefined;
}

/**
 * A prompt's conditioning: `encoder_hidden_states` [1 or prompts, 77n, C] and, of SDXL and its kin, `text_embeds`
 * [1 or prompts, P]. `withSizes` adds what SDXL takes besides.
 *
 * @throws SlothfulError `bad-input` for prompts that do not fit each other, weights or a clip skip that cannot be;
 * `bad-model` where an encoder gives what does not fit
 */
export async function textConditioning(model: TextModel, request: PromptRequest): Promise<RunConditioning> {
  const { weights = 'comfyui', guided = true } = request;
  const { conditional, negative, zeroed } = requestedTexts(request, model);
  const layered = [
    ...conditional.map((texts) => ({ texts, layer: hiddenLayer(model.encoders.length, request) })),
    ...(zeroed ? [] : negative).map((texts) => ({ texts, layer: hiddenLayer(model.encoders.length, request, true) })),
  ];
  const encoded = await encodePrompts(model.encoders, layered, weights);
  const cond = conditioningOf(encoded.slice(0, conditional.length));
  if (!guided) return { cond };
  return { cond, uncond: zeroed ? zerosLike(cond) : conditioningOf(encoded.slice(conditional.length)) };
}

/**
 * How many tokens the text of a request has, 77n, without encoding it.
 *
 * @throws SlothfulError `bad-input` for prompts that do not fit each other, or weights that cannot be
 */
export function textTokens(tokenizers: readonly ClipTokenizer[], request: PromptRequest, zeroNegative = false): number {
  const { conditional, negative, zeroed } = requestedTexts(request, { encoders: tokenizers, zeroNegative });
  return encodedTokens(tokenizers, [...conditional, ...(zeroed ? [] : negative)], request.weights ?? 'comfyui');
}

/** The texts of a request for each encoder, and whether those to be guided away from are zeros. */
function requestedTexts(request: PromptRequest, model: CountedModel) {
  const conditional = textsOf(request.prompt, request.prompt_2);
  const isGuided = request.guided ?? true;
  const negative = isGuided ? textsOf(request.negative ?? '', request.negative_2 ?? request.negative) : [];
  if (negative.length > 1 && negative.length !== conditional.length) {
    const problem = `are ${negative.length}, and there are ${conditional.length} prompts`;
    throw new SlothfulError('bad-input', 'negative prompts', problem, 'give one, or one for each');
  }
  return { conditional, negative, zeroed: isZeroed(model, request, negative.flat()) };
}

/**
 * Which hidden states a model takes. One encoder, as SD1.5 has: the last, or with clip skip earlier ones, with the final
 * layer norm. Two, as SDXL and SSD-1B have: the penultimate of both, without it.
 *
 * For SDXL A1111 ignores clip skip; in ComfyUI's count 2 is what it always takes, and 1 is taken for it; diffusers goes a
 * layer further back. diffusers does not skip in the negative prompt, the others do.
 *
 * @throws SlothfulError `bad-parameter` where clip skip is no whole number of 1 or more
 */
export function hiddenLayer(
  encoders: number,
  { clipSkip = 1, weights = 'comfyui' }: Pick<PromptRequest, 'clipSkip' | 'weights'>,
  negative = false,
): HiddenLayer {
  if (!Number.isInteger(clipSkip) || clipSkip < 1) {
    throw new SlothfulError('bad-parameter', 'clip skip', `must be a whole number from 1, got ${clipSkip}`);
  }
  const isLeft = weights === 'none' && negative;
  if (encoders === 1) return { skip: isLeft ? 0 : clipSkip - 1, norm: true };
  const isIgnored = isLeft || isA1111(weights);
  const skip = isIgnored ? 1 : Math.max(1, weights === 'none' ? clipSkip : clipSkip - 1);
  return { skip, norm: false };
}

/** The texts of each picture, one for each encoder. */
function textsOf(prompts: Prompts, prompts_2: Prompts | undefined): string[][] {
  const first = promptList(prompts);
  const second = promptList(prompts_2 ?? prompts);
  if (!first.length) throw new SlothfulError('bad-input', 'prompts', 'there are none');
  if (second.length !== 1 && second.length !== first.length) {
    const problem = `are ${second.length} for the second text encoder and ${first.length} for the first`;
    throw new SlothfulError('bad-input', 'prompts', problem, 'give one, or as many');
  }
  return first.map((text, index) => [text, second[index] ?? second[0] ?? text]);
}

/** diffusers zeroes where no negative prompt is given and the model says so; A1111 for SDXL wherever it is empty. */
function isZeroed(
  { encoders, zeroNegative = false }: CountedModel,
  request: PromptRequest,
  negative: readonly string[],
) {
  if (encoders.length === 1) return false;
  if (isA1111(request.weights)) return negative.every((text) => text === '');
  return zeroNegative && request.negative === undefined && request.negative_2 === undefined;
}

function conditioningOf(prompts: readonly EncodedPrompt[]): Conditioning {
  const encoder_hidden_states = stacked(prompts.map(({ hiddenStates }) => hiddenStates));
  const pooled = prompts.flatMap((prompt) => prompt.pooled ?? []);
  return pooled.length ? { encoder_hidden_states, text_embeds: stacked(pooled) } : { encoder_hidden_states };
}

function zerosLike(conditioning: Conditioning): Conditioning {
  const zeros = ({ shape, data }: Values) => ({ shape, data: new Float32Array(data.length) });
  return Object.fromEntries(
    Object.entries(conditioning).flatMap(([name, values]) => (values ? [[name, zeros(values)]] : [])),
  );
}
