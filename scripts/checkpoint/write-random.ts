import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import { bytesOf, type Dtype, RandomWeights } from './random-weights.ts';

/** A tensor of a file that is to be written. */
export interface RandomTensor {
  readonly key: string;
  readonly shape: readonly number[];
}

export type WriteProgress = (done: number, total: number) => void;

/**
 * Writes a safetensors file of random weights, as a whole or not at all. It is streamed from a few blocks, so that it
 * takes no more memory at 10 GB than at 10 MB.
 *
 * @returns the file's bytes
 */
export async function writeRandomFile(
  path: string,
  tensors: readonly RandomTensor[],
  dtype: Dtype,
  progress?: WriteProgress,
): Promise<number> {
  const temporary = `${path}.${process.pid}.tmp`;
  try {
    const bytes = await writeTensors(temporary, tensors, dtype, progress);
    await rename(temporary, path);
    return bytes;
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

async function writeTensors(
  path: string,
  tensors: readonly RandomTensor[],
  dtype: Dtype,
  progress?: WriteProgress,
): Promise<number> {
  const { header, bytes } = encodeHeader(tensors, dtype);
  const handle = await open(path, 'wx');
  const random = new RandomWeights(dtype);
  let done = header.length;
  try {
    await writeFully(handle, header);
    for (const { key, shape } of tensors) {
      for (const piece of random.pieces(key, shape)) {
        await writeFully(handle, piece);
        done += piece.byteLength;
        progress?.(done, bytes);
      }
    }
    return done;
  } finally {
    await handle.close();
  }
}

/** A call may take fewer bytes than it is given. */
async function writeFully(handle: FileHandle, bytes: Uint8Array): Promise<void> {
  let done = 0;
  while (done < bytes.byteLength) done += (await handle.write(bytes, done)).bytesWritten;
}

/** The header, padded to 8 bytes. Source: the safetensors format description. */
function encodeHeader(tensors: readonly RandomTensor[], dtype: Dtype): { header: Uint8Array; bytes: number } {
  let offset = 0;
  const entries = tensors.map(({ key, shape }) => {
    const begin = offset;
    offset += shape.reduce((product, size) => product * size, bytesOf(dtype));
    return [key, { dtype, shape, data_offsets: [begin, offset] }] as const;
  });
  const text = new TextEncoder().encode(JSON.stringify(Object.fromEntries(entries)));
  const header = new Uint8Array(8 + Math.ceil(text.length / 8) * 8).fill(0x20);
  header.set(text, 8);
  new DataView(header.buffer).setBigUint64(0, BigInt(header.length - 8), true);
  return { header, bytes: header.length + offset };
}
