import { messageOf, SlothfulError } from '../errors.ts';
import type { ReadOptions } from './read.ts';

/** Lists and objects in one another: files of people have a dozen, and whatever walks through them takes of the stack. */
export const DEEPEST = 200;

/**
 * Parses JSON that comes from outside; what is in it is for the caller to check.
 *
 * @throws SlothfulError `code` where it is not JSON, or is nested too deep
 */
export function parseJson(text: string, { place, code, cure }: Pick<ReadOptions, 'place' | 'code' | 'cure'>): unknown {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new SlothfulError(code, place, `is not JSON (${messageOf(cause)})`, cure, { cause });
  }
  if (isDeeperThan(DEEPEST, text)) throw new SlothfulError(code, place, `is nested more than ${DEEPEST} deep`, cure);
  return value;
}

/** Whether lists and objects of a text that is JSON are in more than so many others. */
function isDeeperThan(most: number, text: string): boolean {
  let depth = 0;
  for (let at = 0; at < text.length; at++) {
    const letter = text[at];
    if (letter === '"') at = endOfString(text, at);
    else if (letter === '[' || letter === '{') depth++;
    else if (letter === ']' || letter === '}') depth--;
    if (depth > most) return true;
  }
  return false;
}

/**
 * Where the quote is that no odd number of backslashes stands before, behind the one at `start`; -1 where there is none. A
 * pattern would take of the stack with each letter.
 */
export function endOfString(text: string, start: number): number {
  for (let end = text.indexOf('"', start + 1); end >= 0; end = text.indexOf('"', end + 1)) {
    let slashes = 0;
    while (text[end - 1 - slashes] === '\\') slashes++;
    if (slashes % 2 === 0) return end;
  }
  return -1;
}
