import { readFile } from 'node:fs/promises';
import { parseJson } from '../documents/index.ts';
import { messageOf, SlothfulError } from '../errors.ts';

/** Reads a JSON file that a user named. @throws SlothfulError `io`, `bad-input` */
export async function readJson(path: string): Promise<unknown> {
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    throw new SlothfulError('io', path, `cannot be read (${messageOf(error)})`, 'check the path');
  });
  return parseJson(text, { place: path, code: 'bad-input' });
}
