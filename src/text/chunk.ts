import type { ClipTokenizer } from './tokenizer.ts';

/** Tokens of a chunk, with both ends. */
export const CHUNK_LENGTH = 77;

/** Tokens of a chunk between its ends. */
export const CHUNK_WORDS = CHUNK_LENGTH - 2;

/** A token of a prompt, and how much it counts. */
export interface WeightedToken {
  readonly id: number;
  readonly weight: number;
}

/** A part of a prompt that is written with a weight. */
export interface WeightedText {
  readonly text: string;
  readonly weight: number;
}

/** What a text encoder takes at once: 77 ids, each with the weight that acts on what it gives. */
export interface PromptChunk {
  readonly ids: readonly number[];
  readonly weights: readonly number[];
}

/**
 * A chunk of at most 75 tokens: start, tokens, end, and padding up to 77, which is the end again or, for SDXL's second
 * tokenizer, 0.
 */
export function closedChunk(tokenizer: ClipTokenizer, tokens: readonly WeightedToken[]): PromptChunk {
  const padding = CHUNK_WORDS - tokens.length;
  return {
    ids: [tokenizer.start, ...tokens.map(({ id }) => id), tokenizer.end, ...repeat(tokenizer.pad, padding)],
    weights: [1, ...tokens.map(({ weight }) => weight), 1, ...repeat(1, padding)],
  };
}

/** The chunk of a prompt without words. */
export function emptyChunk(tokenizer: ClipTokenizer): PromptChunk {
  return closedChunk(tokenizer, []);
}

/** The tokens of a text, all of one weight. */
export function weightedTokens(tokenizer: ClipTokenizer, { text, weight }: WeightedText): WeightedToken[] {
  return tokenizer.tokenize(text).map((id) => ({ id, weight }));
}

function repeat(value: number, count: number): number[] {
  return Array.from({ length: count }, () => value);
}
