import { SlothfulError } from '../errors.ts';
import type { PipelineManifest, PipelinePart } from './pipeline-manifest.ts';

/** Bytes that can be read from any place: a local file, or a file behind a URL. */
export interface ByteSource {
  /** Path or URL, for messages. */
  readonly place: string;
  /** Fills `target` with the bytes from `offset` on; returns how many, fewer only where the file ends. */
  read(offset: number, target: Uint8Array): Promise<number>;
  /** Bytes of the whole file. */
  size(): Promise<number>;
  close(): Promise<void>;
}

/** Where a model lies: its model.json and the files that the weights manifest names. */
export interface ModelStore {
  /** Path or URL of the model.json, for messages. */
  readonly place: string;
  /** The folder on this machine; undefined where the model is behind a URL. */
  readonly folder: string | undefined;
  /** The pipeline that it is the UNet of, where that was asked for. */
  readonly pipeline?: PipelineStore | undefined;
  /** Text of the model.json. @throws SlothfulError `io` */
  text(): Promise<string>;
  /** A file of the weights manifest; it is opened when it is first read. @throws SlothfulError `bad-model` */
  open(shardPath: string): ByteSource;
}

/** What names a model: its path or URL, or a store of the caller's own. */
export type ModelSource = string | URL | ModelStore;

/** Whether it is a path or a URL, not a store. */
export function isAddress(source: ModelSource): source is string | URL {
  return typeof source === 'string' || source instanceof URL;
}

/** Where a whole pipeline lies: a folder with `slothful.json`, and in it a folder for each part. */
export interface PipelineStore {
  /** Path or URL of the folder, for messages. */
  readonly place: string;
  /** The folder on this machine; undefined where it is behind a URL. */
  readonly folder: string | undefined;
  readonly manifest: PipelineManifest;
  /** The model of a part; undefined where the pipeline does not have it. */
  part(name: PipelinePart): ModelStore | undefined;
  /** The text of a file that belongs to a part; undefined where it is not there. @throws SlothfulError `io` */
  text(name: PipelinePart, file: string): Promise<string | undefined>;
}

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
  if (/^([a-z][a-z0-9+.-]*:|[\\/])/i.test(path)) throw refuse('is not a path relative to the model.json');
  const parts = path.split(/[\\/]/).filter((part) => part !== '.' && part !== '');
  if (parts.includes('..')) throw refuse('leads out of the folder of the model');
  if (!parts.length || path.includes('\0')) throw refuse('is not a file name');
  return parts;
}

/**
 * Reads a weight group: the concatenation of its files. One file is open at a time. A file's size is learned when a
 * read runs past its end, so that reading in ascending order needs no request beside the ones for the bytes.
 */
export class GroupReader {
  private readonly starts: number[] = [0];
  private current: { index: number; source: ByteSource } | undefined;

  /**
   * @param paths the group's files, in order
   * @param open opens one of them
   * @param place the model.json, for messages
   */
  constructor(
    private readonly paths: readonly string[],
    private readonly open: (path: string) => ByteSource,
    private readonly place: string,
  ) {}

  /**
   * Fills `target` with the group's bytes from `offset` on.
   *
   * @param wantedFor what the bytes are, for messages
   * @throws SlothfulError `bad-model` where the files are shorter than the manifest says, `io`
   */
  async read(offset: number, target: Uint8Array, wantedFor: string): Promise<void> {
    let filled = 0;
    while (filled < target.length) {
      const { index, start, source } = await this.sourceAt(offset + filled, wantedFor);
      filled += await source.read(offset + filled - start, target.subarray(filled));
      if (filled === target.length) return;
      const end = start + (await source.size());
      if (index + 1 === this.paths.length) throw this.short(source, end, offset + target.length, wantedFor);
      this.starts[index + 1] = end;
    }
  }

  /**
   * Checks that the group's files reach as far as a claim does, before memory is asked for. Asks for the size of each.
   *
   * @throws SlothfulError `bad-model` where they are shorter, `io`
   */
  async expectRoom(end: number, wantedFor: string): Promise<void> {
    let start = 0;
    for (const [index, path] of this.paths.entries()) {
      const source = this.open(path);
      try {
        start += await source.size();
      } finally {
        await source.close();
      }
      if (end <= start) return;
      if (index + 1 === this.paths.length) throw this.short(source, start, end, wantedFor);
    }
  }

  /**
   * Checks that the group's files end where its last weight does: what is longer is of another model, or damaged. Asked
   * when the last weight was read, it costs no request.
   *
   * @throws SlothfulError `bad-model` where they are longer than the manifest says, `io`
   */
  async expectEnd(end: number): Promise<void> {
    if (!this.paths.length) return;
    for (;;) {
      const { index, start, source } = await this.sourceAt(end, 'nothing');
      if (await source.read(end - start, new Uint8Array(1))) throw await this.long(source, start, end);
      if (index + 1 === this.paths.length) return;
      this.starts[index + 1] = end;
    }
  }

  async close(): Promise<void> {
    await this.current?.source.close();
    this.current = undefined;
  }

  private async sourceAt(offset: number, wantedFor: string) {
    const index = this.starts.findLastIndex((start) => start <= offset);
    const path = this.paths[index];
    if (path === undefined) {
      throw new SlothfulError('bad-model', this.place, `has a weight group without files, which holds ${wantedFor}`);
    }
    if (this.current?.index !== index) {
      await this.close();
      this.current = { index, source: this.open(path) };
    }
    return { index, start: this.starts[index] ?? 0, source: this.current.source };
  }

  private async long(source: ByteSource, start: number, end: number): Promise<SlothfulError> {
    const files = this.paths.length > 1 ? `the ${this.paths.length} files up to it have` : 'it has';
    // A server need not tell.
    const size = await source.size().catch(() => undefined);
    const has = size === undefined ? 'more' : `${start + size} bytes`;
    const problem = `is too long: ${files} ${has}, and the weights of its manifest end at ${end}`;
    return new SlothfulError('bad-model', source.place, problem, 'download or convert the model again');
  }

  private short(source: ByteSource, end: number, needed: number, wantedFor: string): SlothfulError {
    const files = this.paths.length > 1 ? `the ${this.paths.length} files up to it have` : 'it has';
    const problem = `is too short: ${files} ${end} bytes, and ${wantedFor} ends at ${needed}`;
    return new SlothfulError('bad-model', source.place, problem, 'download or convert the model again');
  }
}
