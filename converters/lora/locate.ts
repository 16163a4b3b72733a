/** Where a LoRA's matrices are, and the settings that lie beside them. */
import { existsSync, readdirSync, statSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { messageOf, SlothfulError } from '../../src/errors.ts';
import { isPickle, refusePickle } from '../checkpoint/index.ts';
import type { SettingsText } from './settings.ts';

/** diffusers' name of a LoRA's file in its folder, and PEFT's. */
const NAMES = ['pytorch_lora_weights.safetensors', 'adapter_model.safetensors'] as const;
const CONFIG = 'adapter_config.json';
/** Bytes; PEFT writes a few thousand. */
const LARGEST_CONFIG = 1 << 24;

/**
 * The file that a path means: itself, or what a folder of diffusers' or PEFT's has, or the only .safetensors file there.
 *
 * @throws SlothfulError `io`, `bad-checkpoint` (a folder without one), `unsupported` (pickles)
 */
export function locateLora(path: string): string {
  if (isPickle(path)) refusePickle(path);
  if (!existsSync(path)) throw new SlothfulError('io', path, 'does not exist', 'check the path of the LoRA');
  return statSync(path).isDirectory() ? locateInFolder(path) : path;
}

function locateInFolder(folder: string): string {
  const known = NAMES.map((name) => join(folder, name)).find((path) => existsSync(path));
  if (known) return known;
  const entries = namesIn(folder);
  const files = entries.filter((name) => name.endsWith('.safetensors'));
  const [only] = files;
  if (only !== undefined && files.length === 1) return join(folder, only);
  const pickle = entries.find((name) => isPickle(name));
  if (!files.length && pickle) refusePickle(join(folder, pickle));
  const parts = entries.filter((name) => NAMES.some((each) => existsSync(join(folder, name, each))));
  const has = files.length ? `${files.length} .safetensors files, none of them ${NAMES.join(' or ')}` : 'no LoRA';
  const cure =
    files.length || parts.length
      ? `give ${[...files, ...parts]
          .slice(0, 5)
          .map((name) => join(folder, name))
          .join(' or ')}`
      : undefined;
  throw new SlothfulError(
    'bad-checkpoint',
    folder,
    `is a folder with ${has}`,
    cure ?? `expected ${NAMES.join(' or ')}`,
  );
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder).sort();
  } catch (error) {
    throw new SlothfulError('io', folder, `cannot be read (${messageOf(error)})`, 'check the path', { cause: error });
  }
}

/**
 * PEFT's settings of a file, which lie beside it; undefined where there are none, or where they need not be its own.
 *
 * @param names of the file's tensors
 * @throws SlothfulError `io` where they cannot be read
 */
export async function settingsBeside(path: string, names: Iterable<string>): Promise<SettingsText | undefined> {
  const isOwn = basename(path).startsWith('adapter_model') || [...names].some((name) => name.startsWith('base_model.'));
  const place = join(dirname(path), CONFIG);
  const stat = isOwn ? statSync(place, { throwIfNoEntry: false }) : undefined;
  if (!stat) return undefined;
  try {
    if (stat.size > LARGEST_CONFIG) throw new Error(`it has ${stat.size} bytes`);
    return { text: await readFile(place, 'utf8'), place };
  } catch (error) {
    throw new SlothfulError('io', place, `cannot be read (${messageOf(error)})`, 'check the file', { cause: error });
  }
}
