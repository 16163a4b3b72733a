import { integer, readDocument, table } from '../documents/index.ts';
import { SlothfulError } from '../errors.ts';

/** What CLIP's byte pair encoding is made of. */
export interface Vocabulary {
  /** Token to id. */
  readonly tokens: ReadonlyMap<string, number>;
  /** Pairs of symbols that become one, the most common first. */
  readonly merges: readonly Merge[];
}

export type Merge = readonly [left: string, right: string];

/** What the tokens at both ends of a prompt are called. */
export const START_OF_TEXT = '<|startoftext|>';
export const END_OF_TEXT = '<|endoftext|>';

/** Marks the last symbol of a word. */
export const WORD_END = '</w>';

const CURE = 'give the vocab.json and merges.txt of one CLIP tokenizer';

/**
 * GPT-2's characters for the 256 bytes, in the order in which CLIP's vocabulary has them: printable ones as they are,
 * the others as U+0100 and on.
 */
export const BYTE_CHARACTERS: readonly string[] = [
  ...characters(0x21, 0x7e),
  ...characters(0xa1, 0xac),
  ...characters(0xae, 0xff),
  ...characters(0x100, 0x143),
];

function characters(first: number, last: number): string[] {
  return Array.from({ length: last - first + 1 }, (_, index) => String.fromCharCode(first + index));
}

/**
 * The merges of a merges.txt: a pair a line, after a line that says the version.
 *
 * @throws SlothfulError `bad-model` naming the line that is no pair
 */
export function parseMerges(text: string, place: string): Merge[] {
  const lines = text.split(/\r?\n/);
  const skipped = lines[0]?.startsWith('#version') ? 1 : 0;
  const merges = lines.slice(skipped).flatMap((line, index) => {
    if (line === '') return [];
    const [left, right, ...others] = line.split(' ');
    if (left && right && !others.length) return [[left, right] as const];
    const problem = `line ${index + skipped + 1} is no pair of symbols: ${JSON.stringify(line.slice(0, 40))}`;
    throw new SlothfulError('bad-model', place, problem, CURE);
  });
  if (merges.length) return merges;
  throw new SlothfulError('bad-model', place, 'has no merges', CURE);
}

/** The vocabulary that follows from CLIP's merges: bytes, bytes that end words, what merges give, both ends of a text. */
export function vocabularyOfMerges(merges: readonly Merge[]): Vocabulary {
  const names = [
    ...BYTE_CHARACTERS,
    ...BYTE_CHARACTERS.map((character) => character + WORD_END),
    ...merges.map(([left, right]) => left + right),
    START_OF_TEXT,
    END_OF_TEXT,
  ];
  return { tokens: new Map(names.map((name, id) => [name, id])), merges };
}

/** Where the parts of a vocabulary are from, for messages. */
export interface VocabularyPlaces {
  readonly vocabulary: string;
  readonly merges: string;
}

/**
 * A vocabulary of a tokenizer's two files, parsed.
 *
 * @param tokens vocab.json: an object of ids by token
 * @throws SlothfulError `bad-model` where it is no such object, or where the two do not fit each other
 */
export function parseVocabulary(tokens: unknown, merges: readonly Merge[], places: VocabularyPlaces): Vocabulary {
  const place = places.vocabulary;
  const ids = readDocument(table(integer({ minimum: 0 }), { minProperties: 1 }), tokens, { place, code: 'bad-model' });
  const vocabulary = { tokens: new Map(Object.entries(ids)), merges };
  const needed = [...BYTE_CHARACTERS, ...BYTE_CHARACTERS.map((character) => character + WORD_END)];
  const missing = needed.find((token) => !vocabulary.tokens.has(token));
  if (missing !== undefined) throw new SlothfulError('bad-model', place, `has no token "${missing}"`, CURE);
  for (const pair of merges) checkMerge(pair, vocabulary.tokens, places);
  return vocabulary;
}

function checkMerge([left, right]: Merge, tokens: ReadonlyMap<string, number>, places: VocabularyPlaces): void {
  const stranger = [left, right, left + right].find((symbol) => !tokens.has(symbol));
  if (stranger === undefined) return;
  const problem = `merges "${left}" and "${right}", and ${places.vocabulary} has no token "${stranger}"`;
  throw new SlothfulError('bad-model', places.merges, problem, CURE);
}
