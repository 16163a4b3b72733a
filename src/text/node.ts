/** The same, with tokenizers read from folders. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseJson } from '../documents/index.ts';
import { ioError, systemCode } from '../models/index.ts';
import { parseTokenizer } from './parse-tokenizer.ts';
import type { ClipTokenizer } from './tokenizer.ts';

export * from './index.ts';

/**
 * Reads a `tokenizer/` or `tokenizer_2/` folder: vocab.json and merges.txt, or tokenizer.json, and what
 * tokenizer_config.json or special_tokens_map.json says of padding.
 *
 * @throws SlothfulError `io`; `bad-model` where the vocabulary is missing or wrong, or a file is no JSON
 */
export async function readTokenizer(folder: string): Promise<ClipTokenizer> {
  const textOf = (name: string) => readIfThere(join(folder, name));
  const jsonOf = async (name: string) => {
    const text = await textOf(name);
    return text === undefined ? undefined : parseJson(text, { place: join(folder, name), code: 'bad-model' });
  };
  const vocabulary = await jsonOf('vocab.json');
  const merges = await textOf('merges.txt');
  const tokenizer = vocabulary === undefined || merges === undefined ? await jsonOf('tokenizer.json') : undefined;
  const config = await jsonOf('tokenizer_config.json');
  const specialTokens = await jsonOf('special_tokens_map.json');
  return parseTokenizer({ vocabulary, merges, tokenizer, config, specialTokens }, folder);
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw ioError(error, path);
  }
}
