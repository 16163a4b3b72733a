import { SlothfulError } from '../errors.ts';
import { FILE_KIND_BYTES, fileKind } from './file-kind.ts';
import { parseJson } from './parse-json.ts';
import { parsePythonJson } from './python-json.ts';
import type { ReadOptions } from './read.ts';
import { decodeText } from './text.ts';

type Place = Pick<ReadOptions, 'place' | 'code' | 'cure'>;

/**
 * Parses JSON that others wrote, as Python's `json` and Windows' tools do: a mark of byte order is passed over, and NaN,
 * Infinity and -Infinity are numbers. What is in it is for the caller to check; it may hold numbers that are not finite.
 *
 * @throws SlothfulError `code` where it is not JSON, or is nested too deep
 */
export function parseForeignJson(text: string, options: Place): unknown {
  const bare = text.replace(/^\ufeff/, '');
  // All but a few files are plain JSON, which is parsed many times as fast.
  if (!/\b(?:NaN|Infinity)\b/.test(bare)) return parseJson(bare, options);
  const { place, code, cure } = options;
  try {
    return parsePythonJson(bare, place, 'doubles');
  } catch (error) {
    if (!(error instanceof SlothfulError)) throw error;
    throw new SlothfulError(code, place, error.problem, cure, { cause: error });
  }
}

/**
 * The same of the bytes of a file, of which it says what they are where they are something else: a pointer, a web page.
 *
 * @throws SlothfulError `code` where it is not JSON, or is nested too deep
 */
export function parseForeignJsonFile(bytes: Uint8Array, options: Place): unknown {
  const kind = fileKind(bytes.subarray(0, FILE_KIND_BYTES), bytes.length);
  if (kind && kind.kind !== 'json' && kind.kind !== 'other') {
    throw new SlothfulError(options.code, options.place, `${kind.what}, and JSON is wanted`, kind.cure);
  }
  return parseForeignJson(decodeText(bytes), options);
}
