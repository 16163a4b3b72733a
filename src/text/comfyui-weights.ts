/** Prompt weights as ComfyUI reads them. Source: `token_weights` and `SDTokenizer` of its comfy/sd1_clip.py. */
import { SlothfulError } from '../errors.ts';
import {
  CHUNK_WORDS,
  closedChunk,
  type PromptChunk,
  type WeightedText,
  type WeightedToken,
  weightedTokens,
} from './chunk.ts';
import type { ClipTokenizer } from './tokenizer.ts';

const FACTOR = 1.1;
/** A weighted part of fewer tokens is not cut: it goes to the next chunk as a whole. */
const LARGE_GROUP = 8;
const DEEPEST = 100;

/** Stand for `\(` and `\)` while brackets are looked for. */
const HIDDEN_OPEN = '\0\x02';
const HIDDEN_CLOSE = '\0\x01';

/** What Python's `float` takes, but for infinities and NaN. */
const FLOAT = /^\s*[+-]?(?:\d+(?:_\d+)*(?:\.(?:\d+(?:_\d+)*)?)?|\.\d+(?:_\d+)*)(?:e[+-]?\d+(?:_\d+)*)?\s*$/i;

/**
 * The parts of a prompt with their weights: `(x)` counts 1.1 times what is around it, `(x:1.3)` counts 1.3 whatever is
 * around it, `\(` is a bracket. Square brackets and `BREAK` are text.
 *
 * @throws SlothfulError `bad-input` for more than 100 brackets in each other
 */
export function parseComfyUIWeights(prompt: string): WeightedText[] {
  const hidden = prompt.replaceAll('\\)', HIDDEN_CLOSE).replaceAll('\\(', HIDDEN_OPEN);
  return weightedParts(hidden, 1, 0).map(({ text, weight }) => ({
    text: text.replaceAll(HIDDEN_CLOSE, ')').replaceAll(HIDDEN_OPEN, '('),
    weight,
  }));
}

function weightedParts(text: string, inherited: number, depth: number): WeightedText[] {
  if (depth > DEEPEST) {
    throw new SlothfulError('bad-input', 'prompt', `has more than ${DEEPEST} brackets in each other`, 'write (x:1.5)');
  }
  return topLevelParts(text).flatMap((part) => {
    if (part.length < 2 || !part.startsWith('(') || !part.endsWith(')')) return [{ text: part, weight: inherited }];
    const inner = part.slice(1, -1);
    const colon = inner.lastIndexOf(':');
    const said = colon > 0 ? inner.slice(colon + 1) : '';
    if (!FLOAT.test(said)) return weightedParts(inner, inherited * FACTOR, depth + 1);
    return weightedParts(inner.slice(0, colon), finiteWeight(said), depth + 1);
  });
}

function finiteWeight(said: string): number {
  const weight = Number(said.replaceAll('_', ''));
  if (Number.isFinite(weight)) return weight;
  throw new SlothfulError('bad-input', 'prompt', `the weight "${said.trim()}" is too large`, 'weights are about 1');
}

/** A text cut before and after its outer brackets. Once a bracket closes that was not open, nothing is cut any more. */
function topLevelParts(text: string): string[] {
  const parts: string[] = [];
  let start = 0;
  let depth = 0;
  const cut = (end: number) => {
    if (end > start) parts.push(text.slice(start, end));
    start = end;
  };
  for (let index = 0; index < text.length; index++) {
    if (text[index] === '(' && depth++ === 0) cut(index);
    if (text[index] === ')' && --depth === 0) cut(index + 1);
  }
  cut(text.length);
  return parts;
}

/**
 * A prompt's chunks. Each weighted part is a group of tokens; one that does not fit into what is left of a chunk is
 * cut there, or begins the next chunk where it has fewer than 8.
 *
 * @throws SlothfulError `bad-input` as `parseComfyUIWeights` does
 */
export function comfyUIChunks(tokenizer: ClipTokenizer, prompt: string): PromptChunk[] {
  const full: WeightedToken[][] = [];
  let chunk: WeightedToken[] = [];
  for (const part of parseComfyUIWeights(prompt)) {
    const group = weightedTokens(tokenizer, part);
    const isLarge = group.length >= LARGE_GROUP;
    let start = 0;
    while (chunk.length + group.length - start > CHUNK_WORDS) {
      const fitting = isLarge ? CHUNK_WORDS - chunk.length : 0;
      full.push([...chunk, ...group.slice(start, start + fitting)]);
      start += fitting;
      chunk = [];
    }
    chunk.push(...group.slice(start));
  }
  return [...full, chunk].map((tokens) => closedChunk(tokenizer, tokens));
}
