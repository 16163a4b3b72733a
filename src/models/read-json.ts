import { readFile } from 'node:fs/promises';
import { parseForeignJsonFile, parseJson } from '../documents/index.ts';
import { messageOf, SlothfulError } from '../errors.ts';

/** Reads a JSON file of ours that a user named. @throws SlothfulError `io`, `bad-input` */
export async function readJson(path: string): Promise<unknown> {
  const text = new TextDecoder().decode(await readNamed(path));
  return parseJson(text, { place: path, code: 'bad-input' });
}

/**
 * Reads a JSON file that others may have written: with Python's numbers, or a mark of byte order.
 *
 * @throws SlothfulError `io`, `bad-input`
 */
export async function readForeignJson(path: string): Promise<unknown> {
  return parseForeignJsonFile(await readNamed(path), { place: path, code: 'bad-input' });
}

function readNamed(path: string): Promise<Uint8Array> {
  return readFile(path).catch((error: unknown) => {
    throw new SlothfulError('io', path, `cannot be read (${messageOf(error)})`, 'check the path');
  });
}
