import { readFile } from 'node:fs/promises';
import { parseJson } from '../../src/documents/index.ts';
import { messageOf, SlothfulError } from '../../src/errors.ts';
import { duplicateKey } from '../../src/tensors/index.ts';

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR');
}

/**
 * Reads a JSON file; what is in it is for the caller to check.
 *
 * @throws SlothfulError `io` where it cannot be read, `bad-checkpoint` where it is not JSON or has a key twice
 */
export async function readJson(path: string): Promise<unknown> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    throw new SlothfulError('io', path, `cannot be read (${messageOf(error)})`, 'check the path', { cause: error });
  }
  const value = parseJson(text, { place: path, code: 'bad-checkpoint', cure: 'download it again' });
  const twice = duplicateKey(text);
  if (twice === undefined) return value;
  throw new SlothfulError('bad-checkpoint', path, `has the key ${JSON.stringify(twice)} twice`, 'download it again');
}

/** The same, but undefined where there is no such file. */
export async function readJsonIfThere(path: string): Promise<unknown> {
  try {
    return await readJson(path);
  } catch (error) {
    if (error instanceof SlothfulError && isMissing(error.cause)) return undefined;
    throw error;
  }
}
