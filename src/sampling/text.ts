import { suggest } from '../documents/index.ts';
import { SlothfulError } from '../errors.ts';
import { checkValues, type Values } from './values.ts';

/** A small model's stand-in for a text encoder. */
export interface TextTable {
  /** Word to id; 0 is padding. */
  readonly vocab: ReadonlyMap<string, number>;
  /** Most words of a prompt. */
  readonly length: number;
  /** Prompts that the model was trained on. */
  readonly prompts: readonly string[];
  /** [words, C]. */
  readonly token_embedding: Values;
  /** [length, C]. */
  readonly position_embedding: Values;
}

/**
 * A text table of its two files: vocab.json, parsed, and the tensors of embeddings.safetensors.
 *
 * @throws SlothfulError `bad-model` naming what is missing or does not fit
 */
export function parseTextTable(vocabulary: unknown, tensors: ReadonlyMap<string, Values>, place: string): TextTable {
  const wrong = (problem: string) => new SlothfulError('bad-model', place, problem);
  const { vocab, length, prompts = [] } = recordOf(vocabulary) ?? {};
  const words = Object.entries(recordOf(vocab) ?? {});
  if (!words.length || !words.every(isWord)) throw wrong('vocab must be an object of words and their ids, from 1');
  if (typeof length !== 'number' || !Number.isInteger(length) || length < 1)
    throw wrong('length must be an integer from 1');
  if (!Array.isArray(prompts) || !prompts.every((prompt) => typeof prompt === 'string')) {
    throw wrong('prompts must be a list of strings');
  }
  const token_embedding = tensorOf(tensors, 'token_embedding', place);
  const position_embedding = tensorOf(tensors, 'position_embedding', place);
  const table = { vocab: new Map(words), length, prompts, token_embedding, position_embedding };
  const problem = misfit(table);
  if (problem) throw wrong(problem);
  return table;
}

/**
 * The ids of a prompt's words, padded with 0: lower case, split at spaces and hyphens. An empty prompt is the
 * unconditional one.
 *
 * @throws SlothfulError `bad-input` for a word that the table has not, naming those that it has, or for too many
 */
export function tokenize({ vocab, length }: TextTable, prompt: string): number[] {
  const words = prompt
    .toLowerCase()
    .split(/[\s-]+/)
    .filter(Boolean);
  const place = `prompt "${prompt}"`;
  if (words.length > length)
    throw new SlothfulError('bad-input', place, `has ${words.length} words, at most ${length}`);
  const ids = words.map((word) => {
    const id = vocab.get(word);
    if (id !== undefined) return id;
    const known = [...vocab.keys()];
    const close = suggest(word, known);
    const cure = `${close ? `did you mean "${close}"? ` : ''}known words: ${known.join(', ')}`;
    throw new SlothfulError('bad-input', place, `the model does not know the word "${word}"`, cure);
  });
  return [...ids, ...Array.from({ length: length - ids.length }, () => 0)];
}

/**
 * A prompt as the model takes it: the embedding of each word plus that of its place.
 *
 * @returns encoder_hidden_states [1, length, C]
 * @throws SlothfulError `bad-input` for words that the table has not
 */
export function encodePrompt(table: TextTable, prompt: string): Values {
  const width = table.position_embedding.shape[1] ?? 0;
  const { token_embedding, position_embedding } = table;
  const rows = tokenize(table, prompt).map((id) => token_embedding.data.subarray(id * width, (id + 1) * width));
  const data = position_embedding.data.map((value, index) => {
    return value + (rows[Math.floor(index / width)]?.[index % width] ?? 0);
  });
  return { shape: [1, table.length, width], data };
}

function recordOf(value: unknown): Record<string, unknown> | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : undefined;
}

function isWord(entry: [string, unknown]): entry is [string, number] {
  return typeof entry[1] === 'number' && Number.isInteger(entry[1]) && entry[1] >= 1;
}

function tensorOf(tensors: ReadonlyMap<string, Values>, name: string, place: string): Values {
  const tensor = tensors.get(name);
  if (!tensor) throw new SlothfulError('bad-model', place, `has no tensor "${name}"`);
  checkValues(tensor, `${place}: ${name}`);
  return tensor;
}

/** What in a table does not fit the rest; undefined where all does. */
function misfit({ vocab, length, token_embedding: tokens, position_embedding: positions }: TextTable) {
  const [count = 0, width] = tokens.shape;
  if (tokens.shape.length !== 2) return `token_embedding must be [words, C], got [${tokens.shape}]`;
  if (String(positions.shape) !== String([length, width])) {
    return `position_embedding must be [${length}, ${width}], got [${positions.shape}]`;
  }
  const beyond = [...vocab].find(([, id]) => id >= count);
  return beyond && `"${beyond[0]}" has id ${beyond[1]}, and token_embedding has ${count} rows`;
}
