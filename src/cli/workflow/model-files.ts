import { existsSync, readdirSync, statSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { SlothfulError } from '../../errors.ts';

/** ComfyUI's folders of models. */
const KINDS = { checkpoint: 'checkpoints', lora: 'loras', vae: 'vae' } as const;
export type ModelKind = keyof typeof KINDS;

/** Files that are looked at for one of a name; a collection has hundreds. */
const MOST_FILES = 20_000;

/**
 * Finds a model by the name that a workflow has for it, in ComfyUI's folder of models (or the folder around that): a path
 * below `checkpoints`, `loras` or `vae`, written with slashes of either kind; else the one file there of that name.
 *
 * @throws SlothfulError `io` where it is not there, `bad-input` where several are, or the name leads out of the folder
 */
export function findModelFile(models: string, kind: ModelKind, name: string): string {
  const folder = kindFolder(models, kind);
  const parts = name.split(/[\\/]+/);
  if (parts.some((part) => part === '..' || part === '') || /^[a-z]:$/i.test(parts[0] ?? '')) {
    throw new SlothfulError('bad-input', `${kind} "${name}"`, 'leads out of the folder of models', 'name a file in it');
  }
  const exact = join(folder, ...parts);
  if (existsSync(exact)) return exact;
  const wanted = parts.at(-1);
  const found = filesBelow(folder).filter((path) => basename(path) === wanted);
  const [only] = found;
  if (only && found.length === 1) return only;
  if (found.length) {
    const list = found.slice(0, 3).join(', ');
    throw new SlothfulError('bad-input', `${kind} "${name}"`, `is there ${found.length} times (${list})`, 'keep one');
  }
  throw new SlothfulError('io', exact, 'is not there', `the workflow names it: put the ${kind} in ${folder}`);
}

function kindFolder(models: string, kind: ModelKind): string {
  const names = [join(models, KINDS[kind]), join(models, 'models', KINDS[kind])];
  const found = names.find((each) => statSync(each, { throwIfNoEntry: false })?.isDirectory());
  if (found) return resolve(found);
  const cure = "give ComfyUI's folder of models (--models), with checkpoints, loras and vae in it";
  throw new SlothfulError('io', join(models, KINDS[kind]), 'is not there', cure);
}

function filesBelow(folder: string): string[] {
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' });
  return names.slice(0, MOST_FILES).map((name) => join(folder, name));
}
