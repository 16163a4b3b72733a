import { mkdir, readdir, realpath, rename, rm, stat, writeFile } from 'node:fs/promises';
import { basename, dirname, join, resolve, sep } from 'node:path';
import { SlothfulError } from '../errors.ts';
import { ioError, systemCode } from './io-error.ts';
import { PIPELINE_FILE } from './pipeline-manifest.ts';

const FORCE = 'give another name, or replace it with --force';

/** How an output that is there already is met. */
export interface OutputOptions {
  /** Replace it, once the new one is complete. */
  readonly force?: boolean | undefined;
}

/**
 * Makes a folder as a whole or not at all: `fill` writes into a new folder beside it, which is renamed when `fill` is
 * done. When anything fails, nothing is left, and what was there before is as it was.
 *
 * An existing folder is refused unless it is empty. With `force` it is replaced, if it is a model or a pipeline of them:
 * a mistyped path must not take somebody's other files with it.
 *
 * @param out the folder to make; missing parents are made
 * @returns what `fill` returns
 * @throws SlothfulError `exists`, `io`, and whatever `fill` throws
 */
export async function atomicDirectory<T>(
  out: string,
  { force = false }: OutputOptions,
  fill: (folder: string) => Promise<T>,
): Promise<T> {
  const target = await realTarget(out);
  await checkReplaceable(target, out, force);
  const temporary = hiddenSibling(target, 'new');
  try {
    await mkdir(dirname(target), { recursive: true });
    await mkdir(temporary);
    const result = await fill(temporary);
    await checkReplaceable(target, out, force);
    await replaceDirectory(target, temporary);
    return result;
  } catch (error) {
    await rm(temporary, { recursive: true, force: true });
    throw systemCode(error) === undefined ? error : ioError(error, out);
  }
}

/**
 * Writes a file as a whole or not at all, through a temporary name beside it.
 *
 * @throws SlothfulError `exists` unless `force`, `io`
 */
export async function atomicFile(
  path: string,
  content: string | Uint8Array,
  { force = false }: OutputOptions = {},
): Promise<void> {
  const target = await realTarget(path);
  const found = await kindOf(target);
  if (found === 'folder') throw new SlothfulError('exists', path, 'is a folder', 'give the name of a file');
  if (found && !force) throw new SlothfulError('exists', path, 'is there already', FORCE);
  const temporary = hiddenSibling(target, 'new');
  try {
    await mkdir(dirname(target), { recursive: true });
    await writeFile(temporary, content, { flag: 'wx' });
    await rename(temporary, target);
  } catch (error) {
    await rm(temporary, { force: true });
    throw ioError(error, path);
  }
}

/** Links are followed, so that a link keeps pointing at what is replaced behind it. */
async function realTarget(path: string): Promise<string> {
  try {
    return await realpath(path);
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return resolve(path);
    throw ioError(error, path);
  }
}

async function kindOf(path: string): Promise<'file' | 'folder' | undefined> {
  try {
    return (await stat(path)).isDirectory() ? 'folder' : 'file';
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw ioError(error, path);
  }
}

async function checkReplaceable(target: string, out: string, force: boolean): Promise<void> {
  const kind = await kindOf(target);
  if (kind === undefined) return;
  if (kind === 'file')
    throw new SlothfulError('exists', out, 'is a file, and a folder is to be made', 'give another name');
  const names = await readdir(target);
  if (names.length === 0) return;
  if (!force) throw new SlothfulError('exists', out, 'is there already', FORCE);
  if (!names.includes('model.json') && !names.includes(PIPELINE_FILE)) {
    const problem = `is a folder with other files (${names.slice(0, 3).join(', ')}) and no model.json`;
    throw new SlothfulError('exists', out, `${problem}; even --force replaces only models`, 'give another name');
  }
  if (`${process.cwd()}${sep}`.startsWith(`${target}${sep}`)) {
    throw new SlothfulError('exists', out, 'is the folder that you are in', 'go elsewhere to replace it');
  }
}

function hiddenSibling(target: string, purpose: string): string {
  const random = Math.random().toString(36).slice(2, 10);
  return join(dirname(target), `.${basename(target)}.${purpose}-${process.pid}-${random}`);
}

/** The old folder is moved aside and removed last, and moved back where the new one cannot take its place. */
async function replaceDirectory(target: string, temporary: string): Promise<void> {
  if ((await kindOf(target)) === undefined) return rename(temporary, target);
  const old = hiddenSibling(target, 'old');
  await rename(target, old);
  try {
    await rename(temporary, target);
  } catch (error) {
    await rename(old, target);
    throw error;
  }
  await rm(old, { recursive: true, force: true });
}
