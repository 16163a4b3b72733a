/** The same, with tokenizers read from folders. */
import { join } from 'node:path';
import { textIfThere } from '../models/node.ts';
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
  return readTokenizerFiles((name) => textIfThere(join(folder, name)), folder);
}
