import { readFile } from 'node:fs/promises';
import { decodeText, parseForeignJsonFile } from '../../src/documents/index.ts';
import { messageOf, SlothfulError } from '../../src/errors.ts';
import { duplicateKey } from '../../src/tensors/index.ts';

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR');
}

/**
 * Reads a JSON file that others wrote, Python's numbers in it too; what is in it is for the caller to check.
 *
 * @throws SlothfulError `io` where it cannot be read, `bad-checkpoint` where it is not JSON or has a key twice
 */
export async function readJson(path: string): Promise<unknown> {
  let bytes: Uint8Array;
  try {
    bytes = await readFile(path);
  } catch (error) {
    throw new SlothfulError('io', path, `cannot be read (${messageOf(error)})`, 'check the path', { cause: error });
  }
  const value = parseForeignJsonFile(bytes, { place: path, code: 'bad-checkpoint', cure: 'download it again' });
  const twice = duplicateKey(decodeText(bytes));
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
