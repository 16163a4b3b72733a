import { anything, type DocumentOf, foreignObject, list, optional, readDocument, text } from '../documents/index.ts';
import { SlothfulError } from '../errors.ts';
import { CHUNK_LENGTH } from './chunk.ts';
import { CLIP_TOKENS, ClipTokenizer, type SpecialTokens } from './tokenizer.ts';
import { type Merge, parseMerges, parseVocabulary } from './vocabulary.ts';

/** The files of a tokenizer's folder, JSON parsed. */
export interface TokenizerFiles {
  /** vocab.json. */
  readonly vocabulary?: unknown;
  /** merges.txt. */
  readonly merges?: string | undefined;
  /** tokenizer.json, which has both; where they are given by themselves, it is not looked at. */
  readonly tokenizer?: unknown;
  /** tokenizer_config.json: what a chunk begins, ends and is padded with. */
  readonly config?: unknown;
  /** special_tokens_map.json: the same, where tokenizer_config.json does not say it. */
  readonly specialTokens?: unknown;
}

const CONFIG = foreignObject({
  bos_token: optional(anything()),
  eos_token: optional(anything()),
  pad_token: optional(anything()),
});

const TOKENIZER = foreignObject({
  model: foreignObject({ type: text(), vocab: anything(), merges: list(anything()) }),
});

/**
 * A tokenizer of the files that transformers keeps in `tokenizer/` and `tokenizer_2/`.
 *
 * @param place their folder
 * @throws SlothfulError `bad-model` where the vocabulary is missing, or the files are not what they should be
 */
export function parseTokenizer(files: TokenizerFiles, place: string): ClipTokenizer {
  return new ClipTokenizer(vocabularyOf(files, place), specialTokensOf(files, place), place);
}

function vocabularyOf({ vocabulary, merges, tokenizer }: TokenizerFiles, place: string) {
  if (vocabulary !== undefined && merges !== undefined) {
    const places = { vocabulary: `${place}/vocab.json`, merges: `${place}/merges.txt` };
    return parseVocabulary(vocabulary, parseMerges(merges, places.merges), places);
  }
  if (tokenizer === undefined) {
    const cure = 'give vocab.json and merges.txt, or tokenizer.json';
    throw new SlothfulError('bad-model', place, 'has no vocabulary', cure);
  }
  const at = `${place}/tokenizer.json`;
  const { model } = readDocument(TOKENIZER, tokenizer, { place: at, code: 'bad-model' });
  if (model.type !== 'BPE') {
    throw new SlothfulError('unsupported', at, `is a tokenizer of ${model.type}`, "CLIP's is BPE");
  }
  return parseVocabulary(
    model.vocab,
    model.merges.map((merge) => mergeOf(merge, at)),
    { vocabulary: at, merges: at },
  );
}

/** A merge is "a b" in older files, ["a", "b"] in newer ones. */
function mergeOf(merge: unknown, place: string): Merge {
  const [left, right, ...others]: unknown[] = Array.isArray(merge) ? merge : String(merge).split(' ');
  if (typeof left === 'string' && typeof right === 'string' && left && right && !others.length) return [left, right];
  throw new SlothfulError('bad-model', place, `${JSON.stringify(merge)} is no pair of symbols`);
}

/**
 * What chunks begin, end and are padded with, as the files say; CLIP's own where they say nothing.
 *
 * @throws SlothfulError `bad-model` where a file is no object
 */
export function specialTokensOf(
  { config, specialTokens }: Pick<TokenizerFiles, 'config' | 'specialTokens'>,
  place: string,
): SpecialTokens {
  const read = (file: string, value: unknown) =>
    value === undefined ? {} : readDocument(CONFIG, value, { place: `${place}/${file}`, code: 'bad-model' });
  const told = [read('tokenizer_config.json', config), read('special_tokens_map.json', specialTokens)];
  const nameIn = (field: keyof DocumentOf<typeof CONFIG>) =>
    told.map((each) => nameOf(each[field])).find((name) => name !== undefined);
  const end = nameIn('eos_token') ?? CLIP_TOKENS.end;
  return { start: nameIn('bos_token') ?? CLIP_TOKENS.start, end, pad: nameIn('pad_token') ?? end };
}

/** A special token is its name, or an object with it. */
function nameOf(token: unknown): string | undefined {
  if (typeof token === 'string') return token;
  if (typeof token !== 'object' || token === null || !('content' in token)) return undefined;
  return typeof token.content === 'string' ? token.content : undefined;
}

/**
 * The files of a tokenizer's folder, by name, as transformers and `parseTokenizer` read them: for a checkpoint that
 * carries none.
 */
export function tokenizerFiles({ vocabulary, specials }: ClipTokenizer): Map<string, string> {
  const merges = vocabulary.merges.map(([left, right]) => `${left} ${right}\n`).join('');
  const { start, end, pad } = specials;
  const config = {
    tokenizer_class: 'CLIPTokenizer',
    bos_token: start,
    eos_token: end,
    pad_token: pad,
    unk_token: end,
    do_lower_case: true,
    model_max_length: CHUNK_LENGTH,
  };
  return new Map([
    ['vocab.json', JSON.stringify(Object.fromEntries(vocabulary.tokens))],
    ['merges.txt', `#version: 0.2\n${merges}`],
    ['tokenizer_config.json', `${JSON.stringify(config, null, 2)}\n`],
  ]);
}
