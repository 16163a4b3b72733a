import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import { messageOf, SlothfulError } from '../errors.ts';
import {
  encodeHeader,
  specBytes,
  storedTensor,
  type TensorMetadata,
  type TensorSpec,
  type WritableTensor,
} from './safetensors.ts';

/** A tensor that is made while the file is written, so that it need not be in memory as a whole. */
export interface StreamedTensor extends TensorSpec {
  /** Its bytes, little-endian, in order. */
  pieces(): Iterable<Uint8Array>;
}

export interface StreamOptions {
  readonly metadata?: TensorMetadata | undefined;
  /** Told how many bytes are written, of how many. */
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
}

/** A call may take fewer bytes than it is given. */
async function writeFully(handle: FileHandle, bytes: Uint8Array): Promise<void> {
  let done = 0;
  while (done < bytes.byteLength) done += (await handle.write(bytes, done)).bytesWritten;
}

async function writeTensor(handle: FileHandle, tensor: StreamedTensor, path: string, onBytes: (bytes: number) => void) {
  const bytes = specBytes(tensor, path);
  let done = 0;
  for (const piece of tensor.pieces()) {
    await writeFully(handle, piece);
    done += piece.byteLength;
    onBytes(piece.byteLength);
  }
  if (done === bytes) return;
  throw new SlothfulError('bug', `${path} tensor "${tensor.name}"`, `was given ${done} bytes of its ${bytes}`);
}

/**
 * Writes a safetensors file piece by piece, under a temporary name that is then renamed: as a whole or not at all.
 *
 * @param tensors in the order in which they are stored; each is asked for its pieces when its turn comes
 * @returns bytes of the file
 * @throws SlothfulError `bad-input` for a tensor that a file cannot hold, `io` where writing fails
 * Source: the safetensors format description.
 */
export async function streamSafetensors(
  path: string,
  tensors: readonly StreamedTensor[],
  { metadata, onProgress }: StreamOptions = {},
): Promise<number> {
  const header = encodeHeader(tensors, path, metadata);
  const total = tensors.reduce((sum, tensor) => sum + specBytes(tensor, path), header.byteLength);
  let done = 0;
  const onBytes = (bytes: number) => {
    done += bytes;
    onProgress?.(done, total);
  };
  await replaceFile(path, async (handle) => {
    await writeFully(handle, header);
    onBytes(header.byteLength);
    for (const tensor of tensors) await writeTensor(handle, tensor, path, onBytes);
  });
  return done;
}

async function replaceFile(path: string, fill: (handle: FileHandle) => Promise<void>): Promise<void> {
  const temporary = `${path}.${process.pid}.tmp`;
  try {
    const handle = await open(temporary, 'wx');
    try {
      await fill(handle);
    } finally {
      await handle.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    if (error instanceof SlothfulError) throw error;
    const problem = `cannot be written (${messageOf(error)})`;
    throw new SlothfulError('io', path, problem, 'check the folder and its space', { cause: error });
  }
}

/**
 * Writes tensors as a safetensors file, in the order of the map, under a temporary name that is then renamed.
 *
 * @param tensors by name: float32 values, or the bytes of any dtype (`toFloatBytes` makes F16 and BF16)
 * @param metadata what becomes `__metadata__`
 * @throws SlothfulError `bad-input` for a shape that does not fit its values, `io` where writing fails
 */
export async function writeSafetensors(
  path: string,
  tensors: ReadonlyMap<string, WritableTensor>,
  metadata?: TensorMetadata,
): Promise<void> {
  const streamed = [...tensors].map(([name, tensor]) => {
    const { dtype, shape, bytes } = storedTensor(name, tensor, path);
    return { name, dtype, shape, pieces: () => [bytes] };
  });
  await streamSafetensors(path, streamed, { metadata });
}
