import { copyFile, mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { SlothfulError } from '../src/errors.ts';
import { isObject } from '../src/graph/index.ts';
import { TOKENIZER_FILES } from '../src/models/node.ts';
import { specialTokensOf } from '../src/text/index.ts';
import { readJsonIfThere } from './checkpoint/index.ts';

const NEEDED = ['vocab.json', 'merges.txt'] as const;

/** The tokens of CLIP's own vocabulary. */
export const CLIP_VOCABULARY = 49408;

/** A tokenizer's folder. */
export interface TokenizerFolder {
  readonly folder: string;
  /** The id of the token that ends prompts. */
  readonly eosTokenId: number;
}

/**
 * Looks for a tokenizer in a folder, and for the id of the token that ends prompts.
 *
 * @returns undefined where the folder is not there or holds none of a tokenizer's files
 * @throws SlothfulError `bad-checkpoint` where it lacks its vocabulary or its merges
 */
export async function openTokenizer(folder: string): Promise<TokenizerFolder | undefined> {
  const names = new Set(await readdir(folder).catch(() => []));
  if (!TOKENIZER_FILES.some((name) => names.has(name))) return undefined;
  const missing = NEEDED.find((name) => !names.has(name));
  if (missing !== undefined) {
    const cure = 'save the tokenizer with its vocab.json and merges.txt';
    throw new SlothfulError('bad-checkpoint', folder, `is a tokenizer without ${missing}`, cure);
  }
  const place = join(folder, 'vocab.json');
  const [vocabulary, config, specialTokens] = await Promise.all(
    ['vocab.json', 'tokenizer_config.json', 'special_tokens_map.json'].map((name) =>
      readJsonIfThere(join(folder, name)),
    ),
  );
  const { end: token } = specialTokensOf({ config, specialTokens }, folder);
  const id = isObject(vocabulary) && Object.hasOwn(vocabulary, token) ? vocabulary[token] : undefined;
  if (typeof id === 'number' && Number.isInteger(id) && id >= 0) return { folder, eosTokenId: id };
  throw new SlothfulError('bad-checkpoint', place, `has no token ${JSON.stringify(token)}, which ends prompts`);
}

/** Copies the files of a tokenizer. */
export async function copyTokenizer({ folder }: TokenizerFolder, target: string): Promise<void> {
  const names = new Set(await readdir(folder));
  await mkdir(target, { recursive: true });
  const kept = TOKENIZER_FILES.filter((name) => names.has(name));
  await Promise.all(kept.map((name) => copyFile(join(folder, name), join(target, name))));
}
