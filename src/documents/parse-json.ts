import { messageOf, SlothfulError } from '../errors.ts';
import type { ReadOptions } from './read.ts';

/**
 * Parses JSON that comes from outside; what is in it is for the caller to check.
 *
 * @throws SlothfulError `code` where it is not JSON
 */
export function parseJson(text: string, { place, code, cure }: Pick<ReadOptions, 'place' | 'code' | 'cure'>): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new SlothfulError(code, place, `is not JSON (${messageOf(cause)})`, cure, { cause });
  }
}
