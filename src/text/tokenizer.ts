import { Tokenizer } from '@huggingface/tokenizers';
import { SlothfulError } from '../errors.ts';
import { END_OF_TEXT, START_OF_TEXT, type Vocabulary, WORD_END } from './vocabulary.ts';

/** What a tokenizer's config says beside its vocabulary. */
export interface SpecialTokens {
  /** Begins every chunk; `<|startoftext|>`. */
  readonly start: string;
  /** Ends every chunk; `<|endoftext|>`. */
  readonly end: string;
  /** Fills it up: the end again in SD1.5 and SDXL's first tokenizer, `!` (id 0) in SDXL's second. */
  readonly pad: string;
}

export const CLIP_TOKENS: SpecialTokens = { start: START_OF_TEXT, end: END_OF_TEXT, pad: END_OF_TEXT };

/** What SDXL's second text encoder is padded with. */
export const SECOND_PAD = '!';

export interface TokenizeOptions {
  /**
   * Every padding token in the text, `!` for SDXL's second tokenizer, becomes that token, cut out even of words: so do
   * diffusers and transformers. ComfyUI and A1111 take it as any other character. False by default.
   */
  readonly padIsSpecial?: boolean | undefined;
}

/** The ids of the words of a normalized text. */
export type WordTokenizer = (text: string) => readonly number[];

/** What is between words vanishes; then a special token in another case falls into its words. */
const WORDS = "<\\|startoftext\\|>|<\\|endoftext\\|>|'s|'t|'re|'ve|'m|'ll|'d|\\p{L}+|\\p{N}|[^ \\p{L}\\p{N}]+";
const WORDS_OF_SPECIALS = "'s|'t|'re|'ve|'m|'ll|'d|\\p{L}+|\\p{N}|[^\\p{L}\\p{N}]+";

/** CLIP's tokenizer: any text to ids, as transformers' `CLIPTokenizer` gives them. */
export class ClipTokenizer {
  /** Ids of what begins, ends and fills a chunk. */
  readonly start: number;
  readonly end: number;
  readonly pad: number;
  /** One more than its largest id: as many rows must a text encoder's token embedding have, at least. */
  readonly idCount: number;
  readonly #tokens: ReadonlyMap<string, number>;
  readonly #words: WordTokenizer;

  /**
   * @param place where the vocabulary is from, for messages
   * @throws SlothfulError `bad-model` where it has not the special tokens
   */
  constructor(
    readonly vocabulary: Vocabulary,
    readonly specials: SpecialTokens = CLIP_TOKENS,
    readonly place = "CLIP's vocabulary",
    words: WordTokenizer = wordTokenizer(vocabulary),
  ) {
    this.#tokens = vocabulary.tokens;
    this.#words = words;
    this.start = this.#required(specials.start);
    this.end = this.#required(specials.end);
    this.pad = this.#required(specials.pad);
    this.idCount = 1 + [...vocabulary.tokens.values()].reduce((most, id) => Math.max(most, id), 0);
  }

  /** The same vocabulary, padded otherwise: with `SECOND_PAD`, the tokenizer of SDXL's second text encoder. */
  paddedWith(pad: string): ClipTokenizer {
    return new ClipTokenizer(this.vocabulary, { ...this.specials, pad }, this.place, this.#words);
  }

  /** The id of a token, undefined where the vocabulary has it not. */
  idOf(token: string): number | undefined {
    return this.#tokens.get(token);
  }

  /**
   * The ids of a text's tokens, however many, without start, end and padding. `<|startoftext|>` and `<|endoftext|>` in
   * the text become those tokens, in exactly this case.
   */
  tokenize(text: string, { padIsSpecial = false }: TokenizeOptions = {}): number[] {
    const { start, end, pad } = this.specials;
    const specials = new Set([start, end, ...(padIsSpecial ? [pad] : [])]);
    return cutAt(text, [...specials]).flatMap((part) => {
      const id = specials.has(part) ? this.#tokens.get(part) : undefined;
      return id === undefined ? this.#words(normalized(part)) : [id];
    });
  }

  #required(token: string): number {
    const id = this.#tokens.get(token);
    if (id !== undefined) return id;
    throw new SlothfulError('bad-model', this.place, `has no token "${token}"`, 'give a tokenizer of CLIP');
  }
}

/** The library's tokenizer for words; it is given what is normalized, and knows no special tokens. */
function wordTokenizer({ tokens, merges }: Vocabulary): WordTokenizer {
  const split = (Regex: string) => ({ type: 'Split', pattern: { Regex }, behavior: 'Removed', invert: true });
  const document = {
    added_tokens: [],
    normalizer: null,
    pre_tokenizer: {
      type: 'Sequence',
      pretokenizers: [split(WORDS), split(WORDS_OF_SPECIALS), { type: 'ByteLevel', use_regex: false }],
    },
    post_processor: null,
    decoder: null,
    model: { type: 'BPE', vocab: Object.fromEntries(tokens), merges, end_of_word_suffix: WORD_END },
  };
  const tokenizer = new Tokenizer(document, {});
  return (text) => tokenizer.encode(text, { add_special_tokens: false }).ids;
}

/**
 * NFC, every run of whitespace one space, lower case. Code point by code point, as a capital sigma at the end of a word
 * would else become another letter; whitespace is Unicode's White_Space, which JavaScript's `\s` is not.
 */
function normalized(text: string): string {
  const spaced = text.normalize('NFC').replace(/\p{White_Space}+/gu, ' ');
  return Array.from(spaced, (character) => character.toLowerCase()).join('');
}

/** A text cut before and after each of some words; the longest wins where several begin. */
function cutAt(text: string, words: readonly string[]): string[] {
  const sorted = words
    .toSorted((a, b) => b.length - a.length)
    .map((word) => word.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&'));
  return text.split(new RegExp(`(${sorted.join('|')})`)).filter(Boolean);
}
