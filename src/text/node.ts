/** The same, with tokenizers read from folders. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ioError, systemCode } from '../models/index.ts';
import { readTokenizerFiles } from './pipeline-text.ts';
import type { ClipTokenizer } from './tokenizer.ts';

export * from './index.ts';

/**
 * Reads a `tokenizer/` or `tokenizer_2/` folder: vocab.json and merges.txt, or tokenizer.json, and what
 * tokenizer_config.json or special_tokens_map.json says of padding.
 *
 * @throws SlothfulError `io`; `bad-model` where the vocabulary is missing or wrong, or a file is no JSON
 */
export function readTokenizer(folder: string): Promise<ClipTokenizer> {
  return readTokenizerFiles((name) => readIfThere(join(folder, name)), folder);
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw ioError(error, path);
  }
}
