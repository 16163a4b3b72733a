import { SlothfulError } from '../errors.ts';
import { type FloatDtype, isFloatDtype } from './convert.ts';
import { bytesOfShape, headerLength, LENGTH_BYTES, parseHeader } from './header.ts';
import { toNumbers } from './numbers.ts';

/** Numbers with a shape, row-major. */
export interface Float32Tensor {
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

/** A tensor as a file has it: any dtype of safetensors, little-endian bytes. */
export interface StoredTensor {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly bytes: Uint8Array;
}

/** A tensor that can be written: floats become F32. */
export type WritableTensor = Float32Tensor | StoredTensor;

/** A tensor as a header describes it, before it has a place in a file. */
export interface TensorSpec {
  readonly name: string;
  readonly dtype: string;
  readonly shape: readonly number[];
}

/** The `__metadata__` of a file. */
export type TensorMetadata = Readonly<Record<string, string>>;

/**
 * The dtype of a tensor whose values are to be read as floats.
 *
 * @param place file and tensor
 * @throws SlothfulError `unsupported` for F64, F8, I64, ...
 */
export function floatDtype(dtype: string, place: string): FloatDtype {
  if (isFloatDtype(dtype)) return dtype;
  const problem = `is ${dtype}; weights are read from F16, BF16 and F32`;
  throw new SlothfulError('unsupported', place, problem, 'convert the checkpoint to fp16 first');
}

/**
 * Values that are data, of any dtype that is a number, as float32.
 *
 * @param place file and tensor
 * @throws SlothfulError `unsupported` for C64, and floats of less than a byte
 */
export function dataValues(bytes: Uint8Array, dtype: string, place: string): Float32Array {
  const values = toNumbers(bytes, dtype);
  if (values) return values;
  throw new SlothfulError('unsupported', place, `is ${dtype}, which is not read as numbers`, 'save it as F32');
}

/**
 * Bytes that a tensor takes in a file.
 *
 * @throws SlothfulError `bad-input` for a name that is reserved, an unknown dtype, or an impossible shape
 */
export function specBytes({ name, dtype, shape }: TensorSpec, place: string): number {
  const at = `${place} tensor "${name}"`;
  if (name === '__metadata__') throw new SlothfulError('bad-input', at, 'that name is reserved', 'rename it');
  const bytes = bytesOfShape(dtype, shape);
  const isShape = shape.every((size) => Number.isInteger(size) && size >= 0);
  if (isShape && bytes !== undefined && Number.isInteger(bytes)) return bytes;
  throw new SlothfulError('bad-input', at, `${dtype} [${shape.join(', ')}] is not a tensor that a file can hold`);
}

/**
 * The start of a safetensors file, length and header, for tensors whose data follow in this order.
 *
 * @throws SlothfulError `bad-input` as `specBytes` does
 * Source: the safetensors format description.
 */
export function encodeHeader(tensors: readonly TensorSpec[], place: string, metadata?: TensorMetadata): Uint8Array {
  let offset = 0;
  const fields = metadata ? [`"__metadata__":${JSON.stringify(metadata)}`] : [];
  for (const tensor of tensors) {
    const { name, dtype, shape } = tensor;
    const begin = offset;
    offset += specBytes(tensor, place);
    fields.push(`${JSON.stringify(name)}:${JSON.stringify({ dtype, shape, data_offsets: [begin, offset] })}`);
  }
  const text = new TextEncoder().encode(`{${fields.join(',')}}`);
  // Readers that map the file expect the data to start at a multiple of 8 bytes.
  const header = new Uint8Array(LENGTH_BYTES + Math.ceil(text.length / 8) * 8).fill(0x20);
  header.set(text, LENGTH_BYTES);
  new DataView(header.buffer).setBigUint64(0, BigInt(header.length - LENGTH_BYTES), true);
  return header;
}

/**
 * A tensor as it is stored, its size checked.
 *
 * @throws SlothfulError `bad-input` where the shape does not hold as many values
 */
export function storedTensor(name: string, tensor: WritableTensor, place: string): StoredTensor {
  const { shape } = tensor;
  const stored =
    'bytes' in tensor
      ? tensor
      : {
          dtype: 'F32',
          shape,
          bytes: new Uint8Array(tensor.data.buffer, tensor.data.byteOffset, tensor.data.byteLength),
        };
  if (specBytes({ name, dtype: stored.dtype, shape }, place) === stored.bytes.byteLength) return stored;
  const held =
    'bytes' in tensor ? `${tensor.bytes.byteLength} bytes of ${tensor.dtype}` : `${tensor.data.length} values`;
  const problem = `shape [${shape.join(', ')}] does not hold ${held}`;
  throw new SlothfulError('bad-input', `${place} tensor "${name}"`, problem);
}

/**
 * The bytes of a safetensors file, in memory; `writeSafetensors` writes one to disk.
 *
 * @param tensors by name, in the order in which they are stored
 * @throws SlothfulError `bad-input` where a shape does not fit its values
 */
export function encodeSafetensors(tensors: ReadonlyMap<string, WritableTensor>, metadata?: TensorMetadata): Uint8Array {
  const place = 'safetensors';
  const stored = [...tensors].map(([name, tensor]) => ({ name, ...storedTensor(name, tensor, place) }));
  const parts = [encodeHeader(stored, place, metadata), ...stored.map(({ bytes }) => bytes)];
  const all = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let offset = 0;
  for (const part of parts) {
    all.set(part, offset);
    offset += part.length;
  }
  return all;
}

/** Every tensor of a safetensors file that is in memory, as it is stored: views of `content`, in the order of the data. */
export function decodeStored(content: Uint8Array, place = 'safetensors'): Map<string, StoredTensor> {
  // A Buffer's methods differ from those of what it extends: nobody should get one unasked.
  const bytes = new Uint8Array(content.buffer, content.byteOffset, content.byteLength);
  const start = LENGTH_BYTES + headerLength(bytes, bytes.length, place);
  const { tensors } = parseHeader(bytes.subarray(LENGTH_BYTES, start), bytes.length - start, place);
  return new Map(
    [...tensors].map(([name, { dtype, shape, begin, end }]) => [
      name,
      { dtype, shape, bytes: bytes.subarray(start + begin, start + end) },
    ]),
  );
}

/**
 * Every tensor of a safetensors file that is in memory, as float32 values; in browsers, of what `fetch` or a file input gave.
 *
 * @param place the file, for messages
 * @throws SlothfulError `bad-checkpoint` (no true safetensors file), `unsupported` (dtypes that are no numbers)
 */
export function decodeSafetensors(bytes: Uint8Array, place = 'safetensors'): Map<string, Float32Tensor> {
  return new Map(
    [...decodeStored(bytes, place)].map(([name, { dtype, shape, bytes: stored }]) => {
      // A copy of F32, so that no tensor keeps the whole file alive or changes with it.
      const own = dtype === 'F32' ? stored.slice() : stored;
      return [name, { shape, data: dataValues(own, dtype, `${place} tensor "${name}"`) }];
    }),
  );
}

/** @throws SlothfulError `bad-input` where the shape does not hold as many values, or one is not a finite number */
export function checkValues({ shape, data }: Float32Tensor, place: string): void {
  const size = shape.reduce((product, dimension) => product * dimension, 1);
  if (size !== data.length) {
    throw new SlothfulError('bad-input', place, `has ${data.length} values, and its shape [${shape}] holds ${size}`);
  }
  checkFinite(data, place);
}

/** @throws SlothfulError `bad-input` naming the first value that is not a finite number */
export function checkFinite(data: Float32Array, place: string): void {
  const index = firstNonFinite(data);
  if (index >= 0) throw new SlothfulError('bad-input', place, `value ${index} is ${data[index]}, not a finite number`);
}

/** Index of the first NaN or infinity, -1 where all values are finite. */
export function firstNonFinite(data: Float32Array): number {
  return data.findIndex((value) => !Number.isFinite(value));
}
