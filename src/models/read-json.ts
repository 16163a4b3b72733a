import { readFile } from 'node:fs/promises';
import { messageOf, SlothfulError } from '../errors.ts';

/** Reads a JSON file that a user named. @throws SlothfulError `io`, `bad-input` */
export async function readJson(path: string): Promise<unknown> {
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    throw new SlothfulError('io', path, `cannot be read (${messageOf(error)})`, 'check the path');
  });
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new SlothfulError('bad-input', path, `is not JSON (${messageOf(error)})`);
  }
}
