import { SlothfulError } from '../errors.ts';

/**
 * The parts of a path of the weights manifest, refused where it could lead out of the model's folder: absolute paths,
 * URLs, `..`. A model.json is often somebody else's, so no manifest may name a file outside; patched models share
 * weights by hard links and need none. Symbolic links inside the folder are the owner's business and are followed.
 *
 * @param place the model.json, for messages
 * @throws SlothfulError `bad-model`
 */
export function shardPathParts(path: string, place: string): string[] {
  const refuse = (problem: string) =>
    new SlothfulError('bad-model', place, `the weights manifest names ${JSON.stringify(path)}, which ${problem}`);
  if (/^([a-z][a-z0-9+.-]*:|[\\/])/i.test(path)) throw refuse('is no path relative to the model.json');
  const parts = path.split(/[\\/]/).filter((part) => part !== '.' && part !== '');
  if (parts.includes('..')) throw refuse('leads out of the folder of the model');
  if (!parts.length || path.includes('\0')) throw refuse('is no file name');
  return parts;
}
