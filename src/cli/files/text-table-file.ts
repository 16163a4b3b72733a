import { join } from 'node:path';
import { SlothfulError } from '../../errors.ts';
import { isObject, type JsonObject } from '../../graph/index.ts';
import { parseTextTable, type TextTable } from '../../sampling/index.ts';
import { readJson } from '../flags/parameter-flags.ts';
import { readTensorValues } from './tensor-file.ts';

/**
 * The text table that a model carries, by which prompts can be used without a text encoder.
 *
 * @param folder the model's folder
 * @throws SlothfulError `bad-input` where the model has none, `io`, `bad-model`
 */
export async function readTextTable(folder: string, metadata: JsonObject): Promise<TextTable> {
  const { text } = metadata;
  if (!isObject(text) || typeof text.vocab !== 'string' || typeof text.embeddings !== 'string') {
    const cure = 'give text embeddings of your own encoder as a safetensors file (--cond)';
    throw new SlothfulError('bad-input', folder, 'carries no text table, so it cannot read a prompt', cure);
  }
  const values = await readTensorValues(inside(folder, text.embeddings));
  return parseTextTable(await readJson(inside(folder, text.vocab)), values, folder);
}

/** A path that a model names must stay in its folder. */
function inside(folder: string, path: string): string {
  if (!path.split(/[\\/]/).includes('..') && !/^([\\/]|[a-z]:)/i.test(path)) return join(folder, path);
  throw new SlothfulError('bad-model', folder, `names a file outside of its folder: "${path}"`);
}
