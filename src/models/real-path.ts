import { lstat, mkdir, readlink, realpath, rmdir, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve, sep } from 'node:path';
import { SlothfulError } from '../errors.ts';
import { ioError, systemCode } from './io-error.ts';

/**
 * Where a path leads, links followed, so that a link keeps pointing at what is replaced behind it. What is not there yet
 * is taken by its nearest folder that is.
 *
 * @throws SlothfulError `io`, also for a link to nowhere
 */
export async function realTarget(path: string): Promise<string> {
  try {
    return await realpath(path);
  } catch (error) {
    if (systemCode(error) !== 'ENOENT') throw ioError(error, path);
    await refuseDangling(path);
    const whole = resolve(path);
    const parent = dirname(whole);
    return parent === whole ? whole : join(await realTarget(parent), basename(whole));
  }
}

/** @throws SlothfulError `io` where the path itself is a link whose target is not there */
async function refuseDangling(path: string): Promise<void> {
  const entry = await lstat(path).catch(() => undefined);
  if (!entry?.isSymbolicLink()) return;
  const target = await readlink(path).catch(() => '');
  const problem = `is a link to ${JSON.stringify(target)}, which is not there`;
  throw new SlothfulError('io', path, problem, 'make what it points to, or remove the link');
}

/** A failed system call on a path, as `ioError` says it; of a link to nowhere it is said where that points. */
export async function pathError(error: unknown, path: string, cure?: string): Promise<SlothfulError> {
  if (systemCode(error) !== 'ENOENT') return ioError(error, path, cure);
  return refuseDangling(path).then(
    () => ioError(error, path, cure),
    (dangling: unknown) => ioError(dangling, path),
  );
}

/** What is at a path, links followed: `other` is a device or a pipe, undefined where nothing is. @throws SlothfulError `io` */
export async function kindOf(path: string): Promise<'file' | 'folder' | 'other' | undefined> {
  try {
    const entry = await stat(path);
    return entry.isDirectory() ? 'folder' : entry.isFile() ? 'file' : 'other';
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw ioError(error, path);
  }
}

/** Whether a real path is that of a folder, or of something in it. */
export function isWithin(folder: string, path: string): boolean {
  return path === folder || path.startsWith(folder.endsWith(sep) ? folder : `${folder}${sep}`);
}

/**
 * Makes a folder and the parents that it lacks, one by one: Node's `recursive` says of a read-only disk that the folder
 * "is not there".
 *
 * @returns those that were made, the deepest last
 */
export async function makeFolders(path: string): Promise<string[]> {
  try {
    await mkdir(path);
    return [path];
  } catch (error) {
    const code = systemCode(error);
    if ((await kindOf(path)) === 'folder') return [];
    if (code !== 'ENOENT') throw error;
    const made = await makeFolders(dirname(path));
    return [...made, ...(await makeFolders(path))];
  }
}

/** Takes folders away again that were made for nothing; one that has something in it by now stays. */
export async function unmakeFolders(made: readonly string[]): Promise<void> {
  for (const folder of made.toReversed()) await rmdir(folder).catch(() => undefined);
}
