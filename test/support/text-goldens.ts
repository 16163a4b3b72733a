/** The goldens of fixtures/pipeline/text, and the tiny models that they were made with. */
import type { PromptEncoder, TextModel } from '../../src/text/index.ts';
import { readTokenizer } from '../../src/text/node.ts';
import { fixture, fixturePath, readJson } from './fixtures.ts';
import { readSafetensors } from './safetensors.ts';
import { TinyClip } from './tiny-clip.ts';

export interface TokenCase {
  readonly name: string;
  readonly prompt: string;
  readonly ids: readonly number[];
  /** Of SDXL's second tokenizer, where they differ. */
  readonly ids_2?: readonly number[];
  readonly padded: readonly number[];
  readonly padded_2: readonly number[];
}

export interface WeightingCase {
  readonly name: string;
  readonly prompt: string;
  readonly convention: 'comfyui' | 'a1111';
  readonly parsed: readonly (readonly [text: string, weight: number])[];
  readonly tokens: readonly (readonly number[])[];
  readonly tokens_2: readonly (readonly number[])[];
  readonly weights: readonly (readonly number[])[];
  /** Names of tensors. */
  readonly sd15: string;
  readonly sdxl: string;
  readonly sdxl_pooled: string;
}

export interface RunCase {
  readonly name: string;
  readonly prompt: string;
  readonly negative: string;
  readonly encoder_hidden_states: string;
  readonly text_embeds?: string;
}

type Pair = readonly [number, number];

export interface SizesCase {
  readonly name: string;
  readonly size: Pair;
  readonly original_size?: Pair;
  readonly crops?: Pair;
  readonly target_size?: Pair;
  readonly negative_original_size?: Pair;
  readonly negative_crops?: Pair;
  readonly negative_target_size?: Pair;
  readonly time_ids: readonly (readonly number[])[];
}

interface TextCases {
  readonly tokens: readonly TokenCase[];
  readonly weighting: readonly WeightingCase[];
  readonly runs: readonly RunCase[];
  readonly sizes: readonly SizesCase[];
  readonly text: readonly { readonly encoder: string; readonly prompts: readonly string[] }[];
}

export const TEXT_CASES: TextCases = readJson('pipeline/text/cases.json');

const tensors = readSafetensors(fixture('pipeline/text/goldens.safetensors'));

/** The values of a golden tensor; of row `row` of it. */
export function golden(name: string, row?: number): Float32Array {
  const tensor = tensors.get(name);
  if (!tensor) throw new Error(`no golden "${name}"`);
  if (row === undefined) return tensor.data;
  const size = tensor.data.length / (tensor.shape[0] ?? 1);
  return tensor.data.subarray(row * size, (row + 1) * size);
}

export const tokenizer = await readTokenizer(fixturePath('pipeline/sd15/tokenizer'));
export const tokenizer_2 = await readTokenizer(fixturePath('pipeline/sdxl/tokenizer_2'));

const { end } = tokenizer;

function encoderOf(folder: string, heads: number, isSecond = false): PromptEncoder {
  const clip = new TinyClip(folder, { heads, activation: isSecond ? 'gelu' : 'quick_gelu', end });
  return { tokenizer: isSecond ? tokenizer_2 : tokenizer, encode: (ids, layer) => clip.encode(ids, layer) };
}

export const SD15: TextModel = { encoders: [encoderOf('sd15/text_encoder', 4)] };
export const SDXL: TextModel = {
  encoders: [encoderOf('sdxl/text_encoder', 2), encoderOf('sdxl/text_encoder_2', 4, true)],
};
