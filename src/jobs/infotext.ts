import { SlothfulError } from '../errors.ts';

/**
 * What A1111 writes under a picture, and into its file. A prompt that has a line with "Negative prompt:" in front is
 * the one thing that the format cannot tell.
 */
export interface Infotext {
  readonly prompt: string;
  /** Absent where there is none; an empty one is not written. */
  readonly negativePrompt: string | undefined;
  /** By A1111's names, such as `Steps` and `CFG scale`, in their order. */
  readonly fields: ReadonlyMap<string, string>;
}

const NEGATIVE = 'Negative prompt:';
/** A last line with fewer fields is prompt: people write "a cat, style: ink" too. */
const FEWEST_FIELDS = 3;
/** In letters. A long prompt has a few thousand. */
const LONGEST = 2 ** 18;
/** Python's `\w`, which knows all alphabets; JavaScript's does not. */
const WORD = '\\p{L}\\p{N}_';
const KEY = `[${WORD}][${WORD} \\-/]+`;
/**
 * A JSON string; or an object or a list as Civitai's tools append them, which A1111 itself tears at the commas; or
 * all up to the comma.
 */
const VALUE = '"[^\\\\"]*(?:\\\\[^][^\\\\"]*)*"|\\{[^{}]*\\}|\\[[^[\\]]*\\]|[^,]*';
/**
 * A1111's `\s*(\w[\w \-/]+):\s*("(?:\\.|[^\\"])+"|[^,]*)(?:,|$)`, but that words without a colon are taken too, and
 * then dropped: a search that tries each of their letters as a beginning takes the square of their length.
 */
const FIELD = new RegExp(`(${KEY})(?::\\s*(${VALUE})(?:,|$))?`, 'gu');
const WHOLE_KEY = new RegExp(`^${KEY}$`, 'u');

/**
 * The text as A1111 writes it: the prompt, a negative prompt in a line of its own, and the fields in the last line.
 *
 * @throws SlothfulError `bug` for fields that no reader would find: one or two, or with a name of other signs
 * Source: `create_infotext` in A1111's modules/processing.py.
 */
export function formatInfotext({ prompt, negativePrompt, fields }: Infotext): string {
  if (fields.size > 0 && fields.size < FEWEST_FIELDS) {
    throw new SlothfulError('bug', 'infotext', `has ${fields.size} fields; readers find ${FEWEST_FIELDS} or more`);
  }
  const negative = negativePrompt ? `${NEGATIVE} ${negativePrompt}` : '';
  const last = [...fields].map(([key, value]) => `${checkedKey(key)}: ${quoted(value)}`).join(', ');
  return [prompt, negative, last].filter(Boolean).join('\n');
}

/**
 * Reads what `formatInfotext`, A1111 and those who do alike have written. Any text is one: what is not understood is
 * prompt.
 *
 * @param place where the text is from, for messages
 * @throws SlothfulError `bad-input` where it is longer than any infotext
 * Source: `parse_generation_parameters` in A1111's modules/infotext_utils.py.
 */
export function parseInfotext(text: string, place: string): Infotext {
  if (text.length > LONGEST) {
    const problem = `has a text of ${text.length} letters; an infotext has at most ${LONGEST}`;
    throw new SlothfulError('bad-input', place, problem, 'give a picture, or a text, as A1111 writes them');
  }
  const lines = linesOf(text.trimEnd());
  const found = fieldsOf(lines.at(-1) ?? '');
  const hasFields = found.length >= FEWEST_FIELDS;
  const prompts = hasFields ? lines.slice(0, -1) : lines;
  return { ...splitPrompts(prompts), fields: new Map(hasFields ? found : []) };
}

function splitPrompts(lines: readonly string[]): Pick<Infotext, 'prompt' | 'negativePrompt'> {
  const start = lines.findIndex((line) => line.trimStart().startsWith(NEGATIVE));
  if (start < 0) return { prompt: lines.join('\n'), negativePrompt: undefined };
  const negative = lines.slice(start).join('\n').trimStart().slice(NEGATIVE.length);
  return { prompt: lines.slice(0, start).join('\n'), negativePrompt: negative.replace(/^ /, '') };
}

/** A file of Windows ends all its lines in CR LF; a CR in some of them only is the prompt's own. */
function linesOf(text: string): string[] {
  return text.split(/(?<!\r)\n/.test(text) ? '\n' : '\r\n');
}

function fieldsOf(line: string): [key: string, value: string][] {
  return [...line.matchAll(FIELD)].flatMap(([, key = '', value]) =>
    value === undefined ? [] : [[key, unquoted(value)] as [string, string]],
  );
}

function checkedKey(key: string): string {
  if (WHOLE_KEY.test(key)) return key;
  throw new SlothfulError('bug', 'infotext', `${JSON.stringify(key)} is no name of a field`);
}

/** A1111 quotes at commas, colons and ends of lines; what else a reader would take for something else is quoted too. */
function quoted(value: string): string {
  const isPlain = !/[,:\n\r]/.test(value) && value === value.trim() && !/^["{[]/.test(value);
  return isPlain ? value : JSON.stringify(value);
}

function unquoted(value: string): string {
  if (value.length < 2 || !value.startsWith('"') || !value.endsWith('"')) return value;
  try {
    return String(JSON.parse(value));
  } catch {
    // As A1111 does: a value that only looks quoted stands for itself.
    return value;
  }
}
