import { rename, rm, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { settle } from './exchange.ts';
import { hiddenSibling } from './hidden-names.ts';
import { ioError, systemCode } from './io-error.ts';
import { MODEL_FOLDER } from './own-files.ts';
import { makeFolders, realTarget, unmakeFolders } from './real-path.ts';
import { checkFile, checkFolder, type OutputOptions } from './replaceable.ts';
import { StagedFolder } from './staged-folder.ts';

/**
 * Makes a folder as a whole or not at all: `fill` writes into a new folder beside it, which is renamed when `fill` is
 * done. When anything fails, nothing is left, and what was there before is as it was.
 *
 * An existing folder is refused unless it is empty. With `force` it is replaced, if it is a model or a pipeline of them
 * and holds nothing that its manifest does not list, nor anything that is read: a mistyped path must not take somebody's
 * other files with it. What a killed command left under the name is completed or removed first.
 *
 * @param out the folder to make; missing parents are made
 * @returns what `fill` returns
 * @throws SlothfulError `exists`, `io`, and whatever `fill` throws
 */
export async function atomicDirectory<T>(
  out: string,
  options: OutputOptions,
  fill: (folder: string) => Promise<T>,
): Promise<T> {
  const staged = await StagedFolder.open(out, options);
  try {
    const result = await fill(staged.path);
    await staged.publish();
    return result;
  } catch (error) {
    await staged.discard();
    throw systemCode(error) === undefined ? error : ioError(error, out);
  }
}

/**
 * Whether `atomicDirectory` would make a folder: for what takes long to read.
 *
 * @throws SlothfulError `exists`, `io`
 */
export async function checkOutputFolder(out: string, options: OutputOptions): Promise<void> {
  const target = await realTarget(out);
  await settle(target);
  await checkFolder({ out, target }, options, MODEL_FOLDER);
}

/** How a file that is there already is met. */
export interface FileOptions extends OutputOptions {
  /** With `force`: whether a file is of the kind that is written, and so may be replaced; by default any file. */
  readonly isOurs?: ((path: string) => Promise<boolean>) | undefined;
}

/**
 * Writes a file as a whole or not at all, through a temporary name beside it.
 *
 * @throws SlothfulError `exists` unless `force`, and where it is an input or of another kind; `io`
 */
export async function atomicFile(path: string, content: string | Uint8Array, options: FileOptions = {}): Promise<void> {
  const target = await checkOutputFile(path, options);
  const temporary = hiddenSibling(target, 'new');
  let parents: string[] = [];
  try {
    parents = await makeFolders(dirname(target));
    await writeFile(temporary, content, { flag: 'wx' });
    await rename(temporary, target);
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined);
    await unmakeFolders(parents);
    throw ioError(error, path);
  }
}

/**
 * Whether `atomicFile` would write a file: for what takes long to compute. What a killed command left is settled.
 *
 * @returns where it would be written, links followed
 * @throws SlothfulError as `atomicFile`
 */
export async function checkOutputFile(path: string, options: FileOptions): Promise<string> {
  const target = await realTarget(path);
  await settle(target);
  await checkFile({ out: path, target }, options, options.isOurs);
  return target;
}
