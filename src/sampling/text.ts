import { foreignObject, integer, list, readDocument, suggest, table, text } from '../documents/index.ts';
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

/** vocab.json, beside which other fields may stand. */
const VOCABULARY = foreignObject({
  vocab: table(integer({ minimum: 1 }), { minProperties: 1 }),
  length: integer({ minimum: 1 }),
  prompts: list(text(), { default: [] }),
});

/**
 * A text table of its two files: vocab.json, parsed, and the tensors of embeddings.safetensors.
 *
 * @throws SlothfulError `bad-model` naming what is missing or does not fit
 */
export function parseTextTable(vocabulary: unknown, tensors: ReadonlyMap<string, Values>, place: string): TextTable {
  const { vocab, length, prompts } = readDocument(VOCABULARY, vocabulary, { place, code: 'bad-model' });
  const token_embedding = tensorOf(tensors, 'token_embedding', place);
  const position_embedding = tensorOf(tensors, 'position_embedding', place);
  const table = { vocab: new Map(Object.entries(vocab)), length, prompts, token_embedding, position_embedding };
  const problem = misfit(table);
  if (problem) throw new SlothfulError('bad-model', place, problem);
  return table;
}

/**
 * The ids of a prompt's words, padded with 0: lower case, split at spaces and hyphens. An empty prompt is the
 * unconditional one.
 *
 * @throws SlothfulError `bad-input` for a word that the table lacks, naming those that it has, or for too many
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
 * @throws SlothfulError `bad-input` for words that the table lacks
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
