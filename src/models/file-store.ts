import { readFile, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { SlothfulError } from '../errors.ts';
import { FileSource } from './file-source.ts';
import { ioError, systemCode } from './io-error.ts';
import type { ByteSource, ModelStore } from './model-store.ts';
import { shardPathParts } from './shard-path.ts';

const SHARD_CURE = 'the weights manifest of its model.json names it; copy all files of the model';

/** A model in a local folder. */
export class FileStore implements ModelStore {
  readonly folder: string;

  private constructor(readonly place: string) {
    this.folder = dirname(place);
  }

  /**
   * @param path a model.json, or the folder that has one
   * @throws SlothfulError `io` where there is none
   */
  static async at(path: string): Promise<FileStore> {
    const isFolder = await isDirectory(path);
    const place = isFolder ? join(path, 'model.json') : path;
    if (isFolder && !(await exists(place))) {
      const cure = (await exists(join(path, 'config.json')))
        ? 'it looks like a checkpoint: convert it first (slothful convert)'
        : 'give the folder of a TF.js graph model, or its model.json';
      throw new SlothfulError('io', path, 'has no model.json', cure);
    }
    return new FileStore(place);
  }

  async text(): Promise<string> {
    try {
      return await readFile(this.place, 'utf8');
    } catch (error) {
      throw ioError(error, this.place);
    }
  }

  open(shardPath: string): ByteSource {
    return new FileSource(join(this.folder, ...shardPathParts(shardPath, this.place)), SHARD_CURE);
  }
}

async function isDirectory(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch (error) {
    throw ioError(error, path, 'give the folder of a TF.js graph model, or its model.json');
  }
}

async function exists(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return false;
    throw ioError(error, path);
  }
}
