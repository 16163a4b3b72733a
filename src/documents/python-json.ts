import { messageOf, SlothfulError } from '../errors.ts';
import { DEEPEST, endOfString } from './parse-json.ts';

/** Letters: a workflow of thousands of nodes has a few million. */
const LONGEST = 2 ** 26;
/** What a number looks like in JSON, and Python's three others. */
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const WORD = /true|false|null|NaN|-?Infinity/y;
const WORDS: Readonly<Record<string, unknown>> = {
  ...{ true: true, false: false, null: null },
  ...{ NaN: Number.NaN, Infinity: Number.POSITIVE_INFINITY, '-Infinity': Number.NEGATIVE_INFINITY },
};
const SPACE = /[ \t\n\r]*/y;

/** What integers become that a double does not hold: bigints, digit by digit, or the nearest double. */
export type Integers = 'digits' | 'doubles';

/**
 * Parses JSON as Python's `json` writes it: a mark of byte order is passed over, NaN, Infinity and -Infinity are numbers,
 * and integers that a double does not hold become bigints, digit by digit. What is in it is for the caller to check.
 *
 * Written out because `JSON.parse` knows no such numbers, and in Node 20 gives no digits.
 *
 * @param place where the text is from, for messages
 * @throws SlothfulError `bad-input` with line and column where it is not JSON, is nested too deep or too long
 */
export function parsePythonJson(text: string, place: string, integers: Integers = 'digits'): unknown {
  if (text.length > LONGEST) {
    throw new SlothfulError('bad-input', place, `has ${text.length} letters, more than the ${LONGEST} that are read`);
  }
  const source = { text, place, integers, at: text.startsWith('\ufeff') ? 1 : 0 };
  const value = readValue(source, 0);
  skipSpace(source);
  if (source.at < text.length) throw notJson(source, 'goes on behind its end');
  return value;
}

/** A text and how far it was read. */
interface Source {
  readonly text: string;
  readonly place: string;
  readonly integers: Integers;
  at: number;
}

function readValue(source: Source, depth: number): unknown {
  skipSpace(source);
  const letter = source.text[source.at];
  if (letter === '{' || letter === '[') {
    if (depth >= DEEPEST) throw notJson(source, `is nested more than ${DEEPEST} deep`);
    source.at++;
    return letter === '{' ? readObject(source, depth + 1) : readList(source, depth + 1);
  }
  if (letter === '"') return readString(source);
  const word = take(source, WORD);
  if (word !== undefined) return WORDS[word];
  const digits = take(source, NUMBER);
  if (digits !== undefined) return numberOf(digits, source.integers);
  throw notJson(
    source,
    letter === undefined ? 'ends too early' : `has ${JSON.stringify(letter)} where a value belongs`,
  );
}

function readList(source: Source, depth: number): unknown[] {
  const items: unknown[] = [];
  if (takeLetter(source, ']')) return items;
  do items.push(readValue(source, depth));
  while (takeLetter(source, ','));
  if (!takeLetter(source, ']')) throw notJson(source, 'has a list without "," or "]" behind a value');
  return items;
}

function readObject(source: Source, depth: number): object {
  const entries: [string, unknown][] = [];
  if (takeLetter(source, '}')) return {};
  do {
    skipSpace(source);
    if (source.text[source.at] !== '"') throw notJson(source, 'has an object without a name in quotes');
    const name = readString(source);
    if (!takeLetter(source, ':')) throw notJson(source, 'has a name without ":" behind it');
    entries.push([name, readValue(source, depth)]);
  } while (takeLetter(source, ','));
  if (!takeLetter(source, '}')) throw notJson(source, 'has an object without "," or "}" behind a value');
  // Unlike an assignment it makes a field of `__proto__`, too.
  return Object.fromEntries(entries);
}

function readString(source: Source): string {
  const start = source.at;
  const end = endOfString(source.text, start);
  if (end < 0) throw notJson(source, 'has a string without its end');
  source.at = end + 1;
  try {
    return JSON.parse(source.text.slice(start, source.at));
  } catch (error) {
    throw notJson({ ...source, at: start }, `has a string that is none (${messageOf(error)})`);
  }
}

function numberOf(digits: string, integers: Integers): number | bigint {
  const value = Number(digits);
  return integers === 'digits' && /^-?\d+$/.test(digits) && !Number.isSafeInteger(value) ? BigInt(digits) : value;
}

function skipSpace(source: Source): void {
  take(source, SPACE);
}

/** What the pattern finds right here, which is then behind us. */
function take(source: Source, pattern: RegExp): string | undefined {
  pattern.lastIndex = source.at;
  const found = pattern.exec(source.text)?.[0];
  source.at += found?.length ?? 0;
  return found;
}

function takeLetter(source: Source, letter: string): boolean {
  skipSpace(source);
  if (source.text[source.at] !== letter) return false;
  source.at++;
  return true;
}

function notJson({ text, place, at }: Pick<Source, 'text' | 'place' | 'at'>, problem: string): SlothfulError {
  const before = text.slice(0, at);
  const line = before.split('\n').length;
  const column = at - before.lastIndexOf('\n');
  return new SlothfulError('bad-input', place, `is not JSON: line ${line}, column ${column} ${problem}`);
}

/**
 * A value as Python's `json` reads it: bigints with all their digits, and NaN and the infinities under Python's names.
 *
 * @param indent spaces a level; 0 writes one line. What JSON cannot hold (functions, undefined) is left out, or null in lists
 */
export function formatPythonJson(value: unknown, indent = 2): string {
  return format(value, ' '.repeat(indent), '\n') ?? 'null';
}

/** @param outer the line's end and the indent of what this value stands in */
function format(value: unknown, step: string, outer: string): string | undefined {
  if (typeof value === 'bigint') return String(value);
  if (typeof value === 'number' && !Number.isFinite(value)) return String(value);
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const inner = outer + step;
  const [open, close] = Array.isArray(value) ? '[]' : '{}';
  const parts = Array.isArray(value)
    ? value.map((item) => format(item, step, inner) ?? 'null')
    : Object.entries(value).flatMap(([name, item]) => {
        const written = format(item, step, inner);
        return written === undefined ? [] : [`${JSON.stringify(name)}: ${written}`];
      });
  if (!parts.length) return `${open}${close}`;
  return step ? `${open}${inner}${parts.join(`,${inner}`)}${outer}${close}` : `${open}${parts.join(', ')}${close}`;
}
