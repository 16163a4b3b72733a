import type { FileHandle } from 'node:fs/promises';
import { SlothfulError } from '../errors.ts';

/** One read of the operating system takes 2 GiB at most. */
const MAX_READ = 1 << 30;

/**
 * Fills `into` from `position` of a file, however many reads that takes.
 *
 * @throws SlothfulError `bad-checkpoint` if the file ends before
 */
export async function readExactly(handle: FileHandle, into: Uint8Array, position: number, place: string) {
  let done = 0;
  while (done < into.byteLength) {
    const length = Math.min(MAX_READ, into.byteLength - done);
    const { bytesRead } = await handle.read(into, done, length, position + done);
    if (bytesRead === 0) {
      throw new SlothfulError(
        'bad-checkpoint',
        place,
        `the file ends at byte ${position + done}, ${into.byteLength - done} bytes too early`,
        'download it again',
      );
    }
    done += bytesRead;
  }
}
