import { SlothfulError } from '../errors.ts';
import type { Values } from '../sampling/index.ts';
import { CHUNK_LENGTH, emptyChunk, type PromptChunk } from './chunk.ts';
import { filledUp, needsEmptyChunk, type PromptWeights, promptChunks, weighChunk } from './prompt-weights.ts';
import type { ClipTokenizer } from './tokenizer.ts';

/** Which of a text encoder's hidden states are taken. */
export interface HiddenLayer {
  /** Layers left out at the end: 0 is the last one, 1 the penultimate. */
  readonly skip: number;
  /** Whether the final layer norm acts on them. */
  readonly norm: boolean;
}

/** What a text encoder gives for some chunks. */
export interface EncodedChunks {
  /** [chunks, 77, C]. */
  readonly hiddenStates: Values;
  /** Of SDXL's second encoder: the projection of the last layer at the first end token, [chunks, P]. */
  readonly pooled?: Values | undefined;
}

/** A text encoder and its tokenizer. */
export interface PromptEncoder {
  readonly tokenizer: ClipTokenizer;
  /** @param ids of each chunk, 77 */
  encode(ids: readonly (readonly number[])[], layer: HiddenLayer): EncodedChunks | Promise<EncodedChunks>;
}

/** A prompt as a UNet takes it. */
export interface EncodedPrompt {
  /** Chunks joined along tokens and encoders along channels, [1, 77 chunks, C]. */
  readonly hiddenStates: Values;
  /** Of the first chunk, without weights: [1, P]. */
  readonly pooled?: Values | undefined;
}

/** A prompt for each encoder, and the layer that is taken of each. */
export interface LayeredPrompt {
  readonly texts: readonly string[];
  readonly layer: HiddenLayer;
}

/**
 * Prompts through one text encoder or SDXL's two, all made equally long: in A1111's conventions by chunks of the empty
 * prompt, in ComfyUI's by repeating each up to their common multiple (which changes no attention to them).
 *
 * Each chunk is encoded apart, weighed apart in each encoder, and joined. A1111 takes means over a batch of prompts; here
 * they are of one prompt, which so does not depend on its neighbours.
 *
 * @param prompts each with a text for each encoder
 * @throws SlothfulError `bad-input` for weights that cannot be, `bad-model` where an encoder gives what does not fit
 */
export async function encodePrompts(
  encoders: readonly PromptEncoder[],
  prompts: readonly LayeredPrompt[],
  weights: PromptWeights,
): Promise<EncodedPrompt[]> {
  const tokenizers = encoders.map(({ tokenizer }) => tokenizer);
  const chunked = prompts.map(({ texts }) => chunksOf(tokenizers, texts, weights));
  const counts = chunked.map(mostChunks);
  const most = Math.max(...counts);
  const encoded: EncodedPrompt[] = [];
  for (const [index, { layer }] of prompts.entries()) {
    const count = weights === 'comfyui' ? (counts[index] ?? most) : most;
    const parts: EncodedPrompt[] = [];
    for (const [which, encoder] of encoders.entries()) {
      const chunks = filledUp(encoder.tokenizer, chunked[index]?.[which] ?? [], count);
      parts.push(await encodeChunks(encoder, chunks, { layer, weights }));
    }
    encoded.push(joinedEncoders(parts));
  }
  return equallyLong(encoded);
}

/** A prompt's chunks for each encoder. */
function chunksOf(
  tokenizers: readonly ClipTokenizer[],
  texts: readonly string[],
  weights: PromptWeights,
): PromptChunk[][] {
  return tokenizers.map((tokenizer, index) => promptChunks(tokenizer, texts[index] ?? texts[0] ?? '', weights));
}

function mostChunks(chunks: readonly (readonly PromptChunk[])[]): number {
  return Math.max(...chunks.map(({ length }) => length));
}

/**
 * How many tokens `encodePrompts` makes of prompts, without encoding anything.
 *
 * @param prompts each with a text for each encoder
 * @throws SlothfulError `bad-input` for weights that cannot be
 */
export function encodedTokens(
  tokenizers: readonly ClipTokenizer[],
  prompts: readonly (readonly string[])[],
  weights: PromptWeights,
): number {
  const counts = prompts.map((texts) => mostChunks(chunksOf(tokenizers, texts, weights)));
  const chunks = weights === 'comfyui' ? counts.reduce(commonMultiple, 1) : Math.max(...counts);
  return chunks * CHUNK_LENGTH;
}

/** How chunks are encoded. */
export interface ChunkOptions {
  readonly layer: HiddenLayer;
  readonly weights: PromptWeights;
}

/**
 * A prompt's chunks through one encoder, weighed and joined.
 *
 * @throws SlothfulError `bad-model` where the encoder gives what does not fit
 */
export async function encodeChunks(
  encoder: PromptEncoder,
  chunks: readonly PromptChunk[],
  { layer, weights }: ChunkOptions,
): Promise<EncodedPrompt> {
  const all = needsEmptyChunk(chunks, weights) ? [...chunks, emptyChunk(encoder.tokenizer)] : chunks;
  const { hiddenStates, pooled } = await encoder.encode(
    all.map(({ ids }) => ids),
    layer,
  );
  const width = checkedWidth(hiddenStates, all.length);
  const size = CHUNK_LENGTH * width;
  const statesOf = (index: number) => hiddenStates.data.subarray(index * size, (index + 1) * size);
  const empty = all.length > chunks.length ? statesOf(chunks.length) : undefined;
  const data = new Float32Array(chunks.length * size);
  for (const [index, chunk] of chunks.entries()) {
    data.set(weighChunk({ hiddenStates: statesOf(index), weights: chunk.weights, empty }, weights), index * size);
  }
  return {
    hiddenStates: { shape: [1, chunks.length * CHUNK_LENGTH, width], data },
    pooled: pooled && firstRow(pooled),
  };
}

function checkedWidth({ shape, data }: Values, chunks: number): number {
  const [count, length, width = 0] = shape;
  const fits = shape.length === 3 && count === chunks && length === CHUNK_LENGTH;
  if (fits && data.length === chunks * CHUNK_LENGTH * width) return width;
  const problem = `gave [${shape}] for ${chunks} chunks`;
  throw new SlothfulError('bad-model', 'text encoder', problem, `it must give [${chunks}, ${CHUNK_LENGTH}, C]`);
}

function firstRow({ shape, data }: Values): Values {
  const [, width = 0] = shape;
  return { shape: [1, width], data: data.slice(0, width) };
}

/** Hidden states side by side; pooled from the last encoder that gives it. */
function joinedEncoders(parts: readonly EncodedPrompt[]): EncodedPrompt {
  const [first, ...others] = parts;
  if (!first) throw new SlothfulError('bug', 'text encoders', 'there are none');
  if (!others.length) return first;
  const tokens = first.hiddenStates.shape[1] ?? 0;
  const widths = parts.map(({ hiddenStates }) => hiddenStates.shape[2] ?? 0);
  const total = widths.reduce((sum, width) => sum + width, 0);
  const data = new Float32Array(tokens * total);
  let offset = 0;
  for (const [index, { hiddenStates }] of parts.entries()) {
    const width = widths[index] ?? 0;
    for (let token = 0; token < tokens; token++) {
      data.set(hiddenStates.data.subarray(token * width, (token + 1) * width), token * total + offset);
    }
    offset += width;
  }
  const pooled = parts.findLast((part) => part.pooled)?.pooled;
  return { hiddenStates: { shape: [1, tokens, total], data }, pooled };
}

/** Each prompt repeated along its tokens, up to the common multiple of their lengths. */
function equallyLong(prompts: readonly EncodedPrompt[]): EncodedPrompt[] {
  const lengths = prompts.map(({ hiddenStates }) => hiddenStates.shape[1] ?? 1);
  const common = lengths.reduce(commonMultiple, 1);
  return prompts.map(({ hiddenStates: { shape, data }, pooled }) => {
    const [, length, width = 0] = shape;
    if (length === common) return { hiddenStates: { shape, data }, pooled };
    const repeated = new Float32Array(common * width);
    for (let start = 0; start < repeated.length; start += data.length) repeated.set(data, start);
    return { hiddenStates: { shape: [1, common, width], data: repeated }, pooled };
  });
}

function commonMultiple(a: number, b: number): number {
  return (a * b) / greatestCommonDivisor(a, b);
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}
