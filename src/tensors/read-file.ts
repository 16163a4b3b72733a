import { type FileHandle, open } from 'node:fs/promises';
import { FILE_KIND_BYTES } from '../documents/index.ts';
import { messageOf, SlothfulError } from '../errors.ts';
import { headerLength, LENGTH_BYTES, parseHeader, type TensorInfo } from './header.ts';
import { dataValues, type Float32Tensor } from './safetensors.ts';

/** An open safetensors file: its header is read and checked, its data is read tensor by tensor. */
export interface SafetensorsFile {
  readonly path: string;
  /** Bytes of the whole file. */
  readonly bytes: number;
  readonly tensors: ReadonlyMap<string, TensorInfo>;
  readonly metadata: ReadonlyMap<string, string>;
  /** The bytes of one tensor, little-endian; into the start of `into` when that is long enough. */
  read(name: string, into?: Uint8Array): Promise<Uint8Array>;
  /** Bytes `begin` to `end` of one tensor, counted from the tensor's start. */
  readRange(name: string, begin: number, end: number, into?: Uint8Array): Promise<Uint8Array>;
  close(): Promise<void>;
}

/** One read of the operating system takes 2 GiB at most. */
const MAX_READ = 1 << 30;

/** Fills `into` from `position` of a file, however many reads that takes. @throws SlothfulError `bad-checkpoint` at its end */
async function readExactly(handle: FileHandle, into: Uint8Array, position: number, place: string): Promise<void> {
  let done = 0;
  while (done < into.byteLength) {
    const length = Math.min(MAX_READ, into.byteLength - done);
    const { bytesRead } = await handle.read(into, done, length, position + done);
    if (bytesRead === 0) {
      const problem = `the file ends at byte ${position + done}, ${into.byteLength - done} bytes too early`;
      throw new SlothfulError('bad-checkpoint', place, problem, 'download it again');
    }
    done += bytesRead;
  }
}

async function openHandle(path: string): Promise<FileHandle> {
  try {
    return await open(path, 'r');
  } catch (error) {
    throw new SlothfulError('io', path, `cannot be opened (${messageOf(error)})`, 'check the path', { cause: error });
  }
}

async function sizeOf(handle: FileHandle, path: string): Promise<number> {
  const stat = await handle.stat();
  if (!stat.isFile()) throw new SlothfulError('io', path, 'is not a file', 'give the path of a .safetensors file');
  return stat.size;
}

async function readHeader(handle: FileHandle, fileBytes: number, path: string): Promise<Uint8Array> {
  const start = new Uint8Array(Math.min(fileBytes, FILE_KIND_BYTES));
  await readExactly(handle, start, 0, path);
  const header = new Uint8Array(headerLength(start, fileBytes, path));
  await readExactly(handle, header, LENGTH_BYTES, path);
  return header;
}

/** The start of `into` if it has room for `bytes`, else new memory. */
function roomFor(bytes: number, into?: Uint8Array): Uint8Array {
  return into && into.byteLength >= bytes ? into.subarray(0, bytes) : new Uint8Array(bytes);
}

class OpenFile implements SafetensorsFile {
  readonly tensors: ReadonlyMap<string, TensorInfo>;
  readonly metadata: ReadonlyMap<string, string>;
  private readonly dataStart: number;

  constructor(
    readonly path: string,
    readonly bytes: number,
    header: Uint8Array,
    private readonly handle: FileHandle,
  ) {
    this.dataStart = LENGTH_BYTES + header.byteLength;
    const { tensors, metadata } = parseHeader(header, bytes - this.dataStart, path);
    this.tensors = tensors;
    this.metadata = metadata;
  }

  private info(name: string): TensorInfo {
    const info = this.tensors.get(name);
    if (!info) throw new SlothfulError('bad-checkpoint', this.path, `has no tensor "${name}"`);
    return info;
  }

  async read(name: string, into?: Uint8Array) {
    const { begin, end } = this.info(name);
    return this.readRange(name, 0, end - begin, into);
  }

  async readRange(name: string, begin: number, end: number, into?: Uint8Array) {
    const info = this.info(name);
    const place = `${this.path} tensor "${name}"`;
    if (!(begin >= 0 && begin <= end && end <= info.end - info.begin)) {
      throw new SlothfulError('bug', place, `bytes ${begin} to ${end} asked of ${info.end - info.begin}`);
    }
    const bytes = roomFor(end - begin, into);
    await readExactly(this.handle, bytes, this.dataStart + info.begin + begin, place);
    return bytes;
  }

  close() {
    return this.handle.close();
  }
}

/**
 * Opens a safetensors file and checks its whole header; no data is read yet.
 *
 * @throws SlothfulError `io` or `bad-checkpoint`, naming file, tensor and numbers
 * Source: the safetensors format description.
 */
export async function openSafetensors(path: string): Promise<SafetensorsFile> {
  const handle = await openHandle(path);
  try {
    const bytes = await sizeOf(handle, path);
    return new OpenFile(path, bytes, await readHeader(handle, bytes, path), handle);
  } catch (error) {
    await handle.close();
    throw error;
  }
}

/**
 * Reads the tensors of a safetensors file as float32 values, from every dtype that is a number.
 *
 * @param isWanted by name; the others are not looked at; default: all are
 * @throws SlothfulError `io`, `bad-checkpoint`, `unsupported` (dtypes that are no numbers)
 */
export async function readSafetensors(
  path: string,
  isWanted: (name: string) => boolean = () => true,
): Promise<Map<string, Float32Tensor>> {
  const file = await openSafetensors(path);
  const found = new Map<string, Float32Tensor>();
  try {
    for (const [name, { dtype, shape }] of file.tensors) {
      if (!isWanted(name)) continue;
      found.set(name, { shape, data: dataValues(await file.read(name), dtype, `${path} tensor "${name}"`) });
    }
    return found;
  } finally {
    await file.close();
  }
}
