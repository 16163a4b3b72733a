/** What kind of thing went wrong; programs may switch on it, people read the message. */
export type ErrorCode =
  | 'bad-checkpoint'
  | 'bad-model'
  | 'bad-graph'
  | 'bad-parameter'
  | 'bad-input'
  | 'unsupported'
  | 'exists'
  | 'io'
  | 'backend'
  | 'usage'
  | 'aborted'
  | 'bug';

/**
 * The one error class of the toolkit. Its message says where, what was wrong and the cure, on one line; what others wrote is
 * harmless in it and short, and exact in the fields.
 *
 * @param code what kind of error
 * @param place the file, node, site or parameter that is at fault
 * @param problem what was wrong with it, with the numbers
 * @param cure what the user can do about it
 */
export class SlothfulError extends Error {
  override readonly name = 'SlothfulError';

  constructor(
    readonly code: ErrorCode,
    readonly place: string,
    readonly problem: string,
    readonly cure?: string,
    options?: ErrorOptions,
  ) {
    super(cut(`${harmless(place)}: ${harmless(problem)}${cure ? `; ${harmless(cure)}` : ''}`), options);
  }
}

/** Letters of a whole message: what three parts of their longest would pass. */
const LONGEST_MESSAGE = 1200;

function cut(message: string): string {
  return message.length > LONGEST_MESSAGE ? `${message.slice(0, LONGEST_MESSAGE)}...` : message;
}

/** Turns anything that was thrown into its message, on one line. */
export function messageOf(error: unknown): string {
  if (error instanceof SlothfulError) return error.message;
  const text = error instanceof Error ? error.message : String(error);
  return harmless(text.replace(/\s*\n\s*/g, ' ').trim());
}

/** Control and format characters: escape sequences, line ends, bidi overrides; not what joins letters and emoji. */
const UNSEEN = /(?![\u200c\u200d])[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;
const SHORT: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' };

/** A text with everything that a terminal would act upon written as JavaScript escapes it. */
export function visible(text: string): string {
  return replaceUnseen(text, (unseen) => SHORT[unseen] ?? `\\u{${unseen.codePointAt(0)?.toString(16)}}`);
}

/** A text with another in the place of every character that a terminal would act upon. */
export function replaceUnseen(text: string, by: (unseen: string) => string): string {
  return text.replace(UNSEEN, by);
}

/** Most characters of a quoted value, of a word such as a path, of a text, and of one that is looked at to be shortened. */
const MOST = { quoted: 120, word: 240, text: 1000, looked: 20_000 };

/** A text with parts that others wrote, fit for a line that people read: visible, and not too long. */
export function harmless(text: string): string {
  const whole = shortened(text, MOST.looked);
  const values = visible(whole).replace(/"[^"]*"?/g, (quoted) => shortened(quoted, MOST.quoted));
  return shortened(
    values.replace(/\S+/g, (word) => shortened(word, MOST.word)),
    MOST.text,
  );
}

/** Both ends of a text that is too long, with how long it is: `most` characters in all. */
export function shortened(text: string, most: number): string {
  if (text.length <= most) return text;
  const mark = ` ... (${text.length} characters) ... `;
  const end = Math.floor((most - mark.length) / 4);
  return `${text.slice(0, most - mark.length - end)}${mark}${text.slice(-end)}`;
}
