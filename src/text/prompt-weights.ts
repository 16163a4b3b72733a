import { a1111Chunks } from './a1111-weights.ts';
import { CHUNK_WORDS, closedChunk, emptyChunk, type PromptChunk } from './chunk.ts';
import { comfyUIChunks } from './comfyui-weights.ts';
import type { ClipTokenizer } from './tokenizer.ts';

/**
 * How a prompt's weights are written and act: as in ComfyUI; as in A1111, with the mean kept or not ("no norm"); or not
 * at all, as in diffusers, where brackets are text and what is beyond the first chunk is cut off.
 */
export const PROMPT_WEIGHTS = ['comfyui', 'a1111', 'a1111-no-norm', 'none'] as const;

export type PromptWeights = (typeof PROMPT_WEIGHTS)[number];

/** Hidden states of a chunk, [77, C] row-major, and what acts on them. */
export interface WeighedChunk {
  readonly hiddenStates: Float32Array;
  /** One a token. */
  readonly weights: readonly number[];
  /** Hidden states of the empty prompt's chunk, where the convention needs them. */
  readonly empty?: Float32Array | undefined;
}

/** Whether weights are A1111's, whatever it does with the mean. */
export function isA1111(weights: PromptWeights | undefined): boolean {
  return weights === 'a1111' || weights === 'a1111-no-norm';
}

interface Convention {
  chunks(tokenizer: ClipTokenizer, prompt: string): PromptChunk[];
  weigh(chunk: WeighedChunk): Float32Array;
  /** Whether weights act between the empty prompt and this one. */
  readonly needsEmpty: boolean;
}

const CONVENTIONS: Readonly<Record<PromptWeights, Convention>> = {
  comfyui: { chunks: comfyUIChunks, weigh: fromEmpty, needsEmpty: true },
  a1111: { chunks: a1111Chunks, weigh: scaledToMean, needsEmpty: false },
  'a1111-no-norm': { chunks: a1111Chunks, weigh: scaled, needsEmpty: false },
  none: { chunks: plainChunk, weigh: ({ hiddenStates }) => hiddenStates, needsEmpty: false },
};

/**
 * A prompt as the chunks that a text encoder takes one by one.
 *
 * @throws SlothfulError `bad-input` for weights that cannot be
 */
export function promptChunks(tokenizer: ClipTokenizer, prompt: string, weights: PromptWeights): PromptChunk[] {
  return CONVENTIONS[weights].chunks(tokenizer, prompt);
}

/** Whether weighing these chunks needs the hidden states of the empty prompt. */
export function needsEmptyChunk(chunks: readonly PromptChunk[], weights: PromptWeights): boolean {
  return CONVENTIONS[weights].needsEmpty && chunks.some((chunk) => chunk.weights.some((weight) => weight !== 1));
}

/** Hidden states of one chunk with its weights in them, [77, C]. */
export function weighChunk(chunk: WeighedChunk, weights: PromptWeights): Float32Array {
  return chunk.weights.every((weight) => weight === 1) ? chunk.hiddenStates : CONVENTIONS[weights].weigh(chunk);
}

/** diffusers' one chunk: the first 75 tokens. There the second tokenizer's `!` is padding wherever it stands. */
function plainChunk(tokenizer: ClipTokenizer, prompt: string): PromptChunk[] {
  const ids = tokenizer.tokenize(prompt, { padIsSpecial: true }).slice(0, CHUNK_WORDS);
  return [
    closedChunk(
      tokenizer,
      ids.map((id) => ({ id, weight: 1 })),
    ),
  ];
}

/** ComfyUI: each token's difference to the empty prompt, times its weight. */
function fromEmpty({ hiddenStates, weights, empty }: WeighedChunk): Float32Array {
  const width = hiddenStates.length / weights.length;
  return hiddenStates.map((value, index) => {
    const weight = weights[Math.floor(index / width)] ?? 1;
    const from = empty?.[index] ?? 0;
    return weight === 1 ? value : from + weight * (value - from);
  });
}

/** A1111's "no norm": each token times its weight. */
function scaled({ hiddenStates, weights }: WeighedChunk): Float32Array {
  const width = hiddenStates.length / weights.length;
  return hiddenStates.map((value, index) => value * (weights[Math.floor(index / width)] ?? 1));
}

/** A1111: the same, and then all of the chunk so that its mean is what it was. */
function scaledToMean(chunk: WeighedChunk): Float32Array {
  const changed = scaled(chunk);
  const factor = meanOf(chunk.hiddenStates) / meanOf(changed);
  return Number.isFinite(factor) ? changed.map((value) => value * factor) : changed;
}

function meanOf(values: Float32Array): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** A prompt's chunks and as many of the empty prompt as make them `count`: what A1111 does with shorter prompts. */
export function filledUp(tokenizer: ClipTokenizer, chunks: readonly PromptChunk[], count: number): PromptChunk[] {
  return [...chunks, ...Array.from({ length: count - chunks.length }, () => emptyChunk(tokenizer))];
}
