import { type FileHandle, open, stat } from 'node:fs/promises';
import { SlothfulError } from '../errors.ts';
import { ioError } from './io-error.ts';
import type { ByteSource } from './model-store.ts';

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
