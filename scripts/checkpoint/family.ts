import { readFile } from 'node:fs/promises';
import { SlothfulError } from '../../src/errors.ts';
import { FAMILY_NAMES, type FamilyName } from '../../src/families/index.ts';
import { isObject } from '../../src/graph/index.ts';

export { FAMILY_NAMES as FAMILIES, type FamilyName } from '../../src/families/index.ts';

/** One tensor of a real checkpoint, under both of its names. */
export interface FamilyTensor {
  readonly name: string;
  readonly ldmName: string;
  readonly shape: readonly number[];
}

/** What a real model is made of. */
export interface FamilyFile {
  /** The diffusers config, as it is. */
  readonly config: unknown;
  readonly parameters: number;
  readonly tensors: readonly FamilyTensor[];
}

export function isFamilyName(name: string): name is FamilyName {
  return FAMILY_NAMES.some((family) => family === name);
}

/**
 * Reads `fixtures/families/<name>.json`: config and tensors of the full-size model.
 *
 * @throws SlothfulError `bad-input` where the file is not such a list, or its tensors do not make its parameter count
 */
export async function readFamily(name: FamilyName): Promise<FamilyFile> {
  const path = new URL(`../../fixtures/families/${name}.json`, import.meta.url);
  const json: unknown = JSON.parse(await readFile(path, 'utf8'));
  if (!isObject(json) || !isObject(json.tensors) || typeof json.parameters !== 'number') {
    throw new SlothfulError('bad-input', `families/${name}.json`, 'has no tensors or parameters');
  }
  const tensors = Object.entries(json.tensors).map(([tensor, entry]) => parseTensor(tensor, entry, name));
  const count = tensors.reduce((sum, { shape }) => sum + shape.reduce((product, size) => product * size, 1), 0);
  if (count !== json.parameters) {
    const problem = `lists ${count} values and says ${json.parameters}`;
    throw new SlothfulError('bad-input', `families/${name}.json`, problem);
  }
  return { config: json.config, parameters: json.parameters, tensors };
}

function parseTensor(name: string, entry: unknown, family: string): FamilyTensor {
  if (isObject(entry) && typeof entry.ldm === 'string' && Array.isArray(entry.shape)) {
    const shape = entry.shape.filter((size: unknown) => typeof size === 'number');
    if (shape.length === entry.shape.length) return { name, ldmName: entry.ldm, shape };
  }
  throw new SlothfulError('bad-input', `families/${family}.json "${name}"`, 'has no shape or no LDM name');
}
