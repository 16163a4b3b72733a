import { SlothfulError } from '../errors.ts';
import type { ByteSource } from './model-store.ts';

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

  private short(source: ByteSource, end: number, needed: number, wantedFor: string): SlothfulError {
    const files = this.paths.length > 1 ? `the ${this.paths.length} files up to it have` : 'it has';
    const problem = `is too short: ${files} ${end} bytes, and ${wantedFor} ends at ${needed}`;
    return new SlothfulError('bad-model', source.place, problem, 'download or convert the model again');
  }
}
