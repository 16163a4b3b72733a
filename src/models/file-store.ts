import { type FileHandle, open, readFile, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { SlothfulError } from '../errors.ts';
import { settle } from './exchange.ts';
import { ioError, systemCode } from './io-error.ts';
import { localPath } from './local-path.ts';
import { ModelFile } from './model-file.ts';
import { type ByteSource, type ModelStore, type PipelineStore, shardPathParts } from './model-store.ts';
import { PIPELINE_FILE, type PipelineManifest, type PipelinePart, parsePipelineManifest } from './pipeline-manifest.ts';
import { unetOf } from './pipeline-store.ts';
import { pathError } from './real-path.ts';
import { openUrl } from './url-pipeline.ts';
import type { UrlRequest } from './url-request.ts';
import { isUrl } from './url-store.ts';

/**
 * Finds a model by what a user writes: a folder with a model.json, the model.json itself, the URL of either (http, https or
 * file), or the folder of a whole pipeline, whose UNet it is then.
 *
 * @param request how a URL is asked for
 * @throws SlothfulError `io` where nothing is there, `bad-input` for a file URL of another machine
 */
export async function openStore(source: string | URL, request?: UrlRequest): Promise<ModelStore> {
  const place = localPath(source);
  return isUrl(place) ? openUrl(place, request) : FileStore.at(place);
}

/**
 * Reads the document of a model; its weights are read later, when they are needed.
 *
 * @param source a folder with a model.json, the model.json itself, the URL of either, or the folder of a pipeline
 * @throws SlothfulError `io` (not found), `bad-model` (not JSON, no graph model), `bad-graph`
 */
export async function readModel(source: string | URL): Promise<ModelFile> {
  return ModelFile.open(await openStore(source));
}

const SHARD_CURE = 'the weights manifest of its model.json names it; copy all files of the model';

/**
 * The manifest of a folder that holds a whole pipeline.
 *
 * @returns undefined where the folder has none
 * @throws SlothfulError `io`, `bad-model` naming the field
 */
export async function readPipelineManifest(folder: string): Promise<PipelineManifest | undefined> {
  const place = join(folder, PIPELINE_FILE);
  const json = await textIfThere(place);
  return json === undefined ? undefined : parsePipelineManifest(json, place);
}

/** A pipeline in a local folder. */
class FilePipeline implements PipelineStore {
  constructor(
    readonly folder: string,
    readonly manifest: PipelineManifest,
  ) {}

  get place(): string {
    return this.folder;
  }

  part(name: PipelinePart): ModelStore | undefined {
    const part = this.manifest.parts[name];
    return part === undefined ? undefined : new FileStore(join(this.folder, part, 'model.json'), this);
  }

  async text(name: PipelinePart, file: string): Promise<string | undefined> {
    const part = this.manifest.parts[name];
    return part === undefined ? undefined : textIfThere(join(this.folder, part, file));
  }
}

/** A model in a local folder. */
export class FileStore implements ModelStore {
  readonly folder: string;

  constructor(
    readonly place: string,
    readonly pipeline?: PipelineStore,
  ) {
    this.folder = dirname(place);
  }

  /**
   * What a killed command left under the name is settled first: see `settle`.
   *
   * @param path a model.json, the folder that has one, or the folder of a pipeline
   * @throws SlothfulError `io` where there is none
   */
  static async at(path: string): Promise<ModelStore> {
    await settle(path.endsWith('.json') ? dirname(path) : path);
    const isFolder = await isDirectory(path);
    const place = isFolder ? join(path, 'model.json') : path;
    if (isFolder && !(await exists(place))) {
      const manifest = await readPipelineManifest(path);
      if (manifest) return unetOf(new FilePipeline(path, manifest));
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
    throw await pathError(error, path, 'give the folder of a TF.js graph model, or its model.json');
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

/** The text of a file; undefined where there is none. @throws SlothfulError `io` */
export async function textIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw ioError(error, path);
  }
}

/** One read call of Node's takes at most 2 GiB. */
const MOST_PER_CALL = 2 ** 30;

/** A local file, opened when it is first read. */
export class FileSource implements ByteSource {
  private opened: Promise<FileHandle> | undefined;

  /**
   * @param place path of the file
   * @param cure what to do where the file is not there
   */
  constructor(
    readonly place: string,
    private readonly cure?: string,
  ) {}

  async read(offset: number, target: Uint8Array): Promise<number> {
    try {
      const handle = await this.handle();
      let filled = 0;
      while (filled < target.length) {
        const length = Math.min(target.length - filled, MOST_PER_CALL);
        const { bytesRead } = await handle.read(target, filled, length, offset + filled);
        if (bytesRead === 0) break;
        filled += bytesRead;
      }
      return filled;
    } catch (error) {
      throw ioError(error, this.place, this.cure);
    }
  }

  async size(): Promise<number> {
    try {
      return (await (await this.handle()).stat()).size;
    } catch (error) {
      throw ioError(error, this.place, this.cure);
    }
  }

  async close(): Promise<void> {
    const opened = this.opened;
    this.opened = undefined;
    await opened?.then(
      (handle) => handle.close(),
      () => undefined,
    );
  }

  private handle(): Promise<FileHandle> {
    this.opened ??= openFile(this.place);
    return this.opened;
  }
}

/** Only plain files: opening a pipe would wait for ever. */
async function openFile(path: string): Promise<FileHandle> {
  if (!(await stat(path)).isFile()) throw new SlothfulError('io', path, 'is not a file');
  return open(path, 'r');
}
