/**
 * Prompt weights as AUTOMATIC1111's web UI reads them. Source: `parse_prompt_attention` of its modules/prompt_parser.py,
 * `tokenize_line` of modules/sd_hijack_clip.py.
 */
import { SlothfulError } from '../errors.ts';
import { CHUNK_WORDS, closedChunk, type PromptChunk, type WeightedText, type WeightedToken } from './chunk.ts';
import type { ClipTokenizer } from './tokenizer.ts';
import { WORD_END } from './vocabulary.ts';

const ROUND = 1.1;
const SQUARE = 1 / 1.1;
/** How far back a comma is looked for at which a chunk may end. */
const BACKTRACK = 20;

const PIECES = /\\[()[\]\\]|\\|\(|\[|:\p{White_Space}*([+-]?[.\d]+)\p{White_Space}*\)|\)|\]|[^\\()[\]:]+|:/gu;
/** Letters of every script make words, as in Python. Whitespace is looked at from its start alone, not again and again. */
const BREAK = /(?:(?<!\p{White_Space})\p{White_Space}+)?(?<![\p{L}\p{N}_])BREAK(?![\p{L}\p{N}_])\p{White_Space}*/u;

/** Ends a chunk, unless a bracket around it changed its weight. */
const BREAK_TEXT = 'BREAK';
const BREAK_WEIGHT = -1;

interface Part {
  text: string;
  weight: number;
}

/**
 * The parts of a prompt with their weights: `(x)` counts 1.1 times, `[x]` 1/1.1 times, `(x:1.3)` 1.3 times what is
 * around it; `BREAK` is a part of weight -1; a backslash makes a bracket text. Brackets that are not closed act to the
 * end.
 *
 * @throws SlothfulError `bad-input` for a weight that is no number
 */
export function parseA1111Weights(prompt: string): WeightedText[] {
  const parts: Part[] = [];
  const round: number[] = [];
  const square: number[] = [];
  const multiply = (start: number | undefined, factor: number) => {
    for (const part of parts.slice(start)) part.weight *= factor;
  };
  for (const [piece, weight] of prompt.matchAll(PIECES)) {
    if (piece.startsWith('\\')) parts.push({ text: piece.slice(1), weight: 1 });
    else if (piece === '(') round.push(parts.length);
    else if (piece === '[') square.push(parts.length);
    else if (weight !== undefined && round.length) multiply(round.pop(), numberOf(weight));
    else if (piece === ')' && round.length) multiply(round.pop(), ROUND);
    else if (piece === ']' && square.length) multiply(square.pop(), SQUARE);
    else parts.push(...textParts(piece));
  }
  for (const start of round) multiply(start, ROUND);
  for (const start of square) multiply(start, SQUARE);
  return merged(parts);
}

function numberOf(said: string): number {
  const weight = Number(said);
  if (Number.isFinite(weight)) return weight;
  throw new SlothfulError('bad-input', 'prompt', `the weight "${said}" is no number`, 'write (x:1.3), or \\( and \\)');
}

function textParts(piece: string): Part[] {
  return piece.split(BREAK).flatMap((text, index) => {
    const part = { text, weight: 1 };
    return index ? [{ text: BREAK_TEXT, weight: BREAK_WEIGHT }, part] : [part];
  });
}

/** Neighbours of one weight are one part; there is always one. */
function merged(parts: readonly Part[]): Part[] {
  const all: Part[] = [];
  for (const { text, weight } of parts) {
    const last = all.at(-1);
    if (last && last.weight === weight) last.text += text;
    else all.push({ text, weight });
  }
  return all.length ? all : [{ text: '', weight: 1 }];
}

/**
 * A prompt's chunks of 75 tokens. A full one ends after its last comma where that is at most 20 tokens back, and what
 * follows begins the next.
 *
 * @throws SlothfulError `bad-input` as `parseA1111Weights` does
 */
export function a1111Chunks(tokenizer: ClipTokenizer, prompt: string): PromptChunk[] {
  const chunks = new Chunks(tokenizer.idOf(`,${WORD_END}`));
  for (const { text, weight } of parseA1111Weights(prompt)) {
    if (text === BREAK_TEXT && weight === BREAK_WEIGHT) chunks.end();
    else for (const id of tokenizer.tokenize(text)) chunks.add({ id, weight });
  }
  return chunks.all().map((tokens) => paddedAfterEnd(tokenizer, closedChunk(tokenizer, tokens)));
}

class Chunks {
  #full: WeightedToken[][] = [];
  #chunk: WeightedToken[] = [];
  /** Where in the chunk its last comma is. */
  #comma: number | undefined;

  constructor(private readonly commaId: number | undefined) {}

  add(token: WeightedToken): void {
    const { length } = this.#chunk;
    if (token.id === this.commaId) this.#comma = length;
    else if (length === CHUNK_WORDS && this.#comma !== undefined && length - this.#comma <= BACKTRACK) {
      const moved = this.#chunk.splice(this.#comma + 1);
      this.end();
      this.#chunk = moved;
    }
    if (this.#chunk.length === CHUNK_WORDS) this.end();
    this.#chunk.push(token);
  }

  end(): void {
    this.#full.push(this.#chunk);
    this.#chunk = [];
    this.#comma = undefined;
  }

  all(): WeightedToken[][] {
    return this.#chunk.length || !this.#full.length ? [...this.#full, this.#chunk] : this.#full;
  }
}

/** Where padding is not the end, it begins after the first end, even where that was written in the prompt. */
function paddedAfterEnd({ end, pad }: ClipTokenizer, { ids, weights }: PromptChunk): PromptChunk {
  const first = ids.indexOf(end);
  return { ids: ids.map((id, index) => (index > first ? pad : id)), weights };
}
