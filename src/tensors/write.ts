import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import { messageOf, SlothfulError } from '../errors.ts';

/** A float32 tensor to be written. */
export interface Float32Tensor {
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

function checkTensor(name: string, { shape, data }: Float32Tensor, path: string): void {
  const values = shape.reduce((product, size) => product * size, 1);
  const place = `${path} tensor "${name}"`;
  if (name === '__metadata__') throw new SlothfulError('bad-input', place, 'that name is reserved', 'rename it');
  if (values !== data.length) {
    throw new SlothfulError('bad-input', place, `shape [${shape.join(', ')}] does not hold ${data.length} values`);
  }
}

function encodeHeader(tensors: ReadonlyMap<string, Float32Tensor>): Uint8Array {
  let offset = 0;
  const entries = [...tensors].map(([name, { shape, data }]) => {
    const begin = offset;
    offset += data.byteLength;
    return `${JSON.stringify(name)}:${JSON.stringify({ dtype: 'F32', shape, data_offsets: [begin, offset] })}`;
  });
  const json = `{${entries.join(',')}}`;
  // Readers that map the file expect the data to start at a multiple of 8 bytes.
  const text = new TextEncoder().encode(json);
  const header = new Uint8Array(8 + Math.ceil(text.length / 8) * 8).fill(0x20);
  header.set(text, 8);
  new DataView(header.buffer).setBigUint64(0, BigInt(header.length - 8), true);
  return header;
}

async function writeAll(handle: FileHandle, tensors: ReadonlyMap<string, Float32Tensor>): Promise<void> {
  await handle.writeFile(encodeHeader(tensors));
  for (const { data } of tensors.values()) {
    await handle.writeFile(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  }
}

/**
 * Writes float32 tensors as a safetensors file, in the order of the map, under a temporary name that is then renamed.
 *
 * @throws SlothfulError `bad-input` for a shape that does not fit its values, `io` where writing fails
 * Source: the safetensors format description.
 */
export async function writeSafetensors(path: string, tensors: ReadonlyMap<string, Float32Tensor>): Promise<void> {
  for (const [name, tensor] of tensors) checkTensor(name, tensor, path);
  const temporary = `${path}.${process.pid}.tmp`;
  try {
    const handle = await open(temporary, 'wx');
    try {
      await writeAll(handle, tensors);
    } finally {
      await handle.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw new SlothfulError('io', path, `cannot be written (${messageOf(error)})`, 'check the folder and its space', {
      cause: error,
    });
  }
}
