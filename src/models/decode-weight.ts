import { SlothfulError } from '../errors.ts';
import { loadedBytes, sizeOf, type WeightSpec } from '../graph/index.ts';
import { toFloats } from '../tensors/index.ts';

/** Values as TF.js keeps them: float32, int32, bool. */
export type WeightValues = Float32Array | Int32Array | Uint8Array;

/**
 * Where a weight's stored bytes are read to: the end of the memory that becomes its values, so that `decodeWeight` can
 * widen them in place. Values are written from the front on and never catch up with what is still to be read.
 *
 * @param length how many bytes are stored
 * @param allocate gives memory of so many bytes
 * @returns a view of that memory, from a multiple of 4 on: where halves are odd in number, one half before the end
 */
export function placeStored(spec: WeightSpec, length: number, allocate: (bytes: number) => ArrayBuffer): Uint8Array {
  const total = Math.max(length, loadedBytes(spec));
  const offset = total - length;
  return new Uint8Array(allocate(total), offset - (offset % 4), length);
}

/**
 * Values of a weight from its stored bytes: views of `bytes` where they are stored plain, else from the start of `memory`.
 *
 * @param bytes exactly the weight's bytes, from a multiple of 4 of their buffer on
 * @param memory where values are widened to: that of `bytes` where `placeStored` gave them; new memory without
 * @throws SlothfulError `unsupported` for complex64 and string weights, `bad-model` for a quantization that does not fit
 */
export function decodeWeight(
  spec: WeightSpec,
  bytes: Uint8Array,
  place: string,
  memory?: ArrayBufferLike,
): WeightValues {
  if (spec.quantization) return dequantize(spec, bytes, place, memory ?? new ArrayBuffer(loadedBytes(spec)));
  const { buffer, byteOffset, byteLength } = bytes;
  switch (spec.dtype) {
    case 'float32':
      return new Float32Array(buffer, byteOffset, byteLength / 4);
    case 'int32':
      return new Int32Array(buffer, byteOffset, byteLength / 4);
    case 'bool':
      return bytes;
    default:
      throw new SlothfulError('unsupported', place, `the weight "${spec.name}" is ${spec.dtype}`);
  }
}

function dequantize(spec: WeightSpec, bytes: Uint8Array, place: string, memory: ArrayBufferLike): WeightValues {
  const { dtype, scale, min } = spec.quantization ?? {};
  const size = sizeOf(spec.shape);
  if (dtype === 'float16' && spec.dtype === 'float32') return decodeHalves(bytes, memory, size);
  const stored = dtype === 'uint8' ? bytes : new Uint16Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 2);
  if (scale === undefined || min === undefined || (spec.dtype !== 'float32' && spec.dtype !== 'int32')) {
    const problem = `the weight "${spec.name}" has a quantization that does not fit ${spec.dtype}`;
    throw new SlothfulError('bad-model', place, `${problem}: ${JSON.stringify(spec.quantization)}`);
  }
  const values = spec.dtype === 'float32' ? new Float32Array(memory, 0, size) : new Int32Array(memory, 0, size);
  const round = spec.dtype === 'float32' ? (value: number) => value : Math.round;
  for (let i = 0; i < values.length; i++) values[i] = round((stored[i] ?? 0) * scale + min);
  return values;
}

function decodeHalves(bytes: Uint8Array, memory: ArrayBufferLike, count: number): Float32Array {
  const halves = new Uint16Array(bytes.buffer, bytes.byteOffset, count);
  toFloats(halves, 'F16', new Uint32Array(memory, 0, count));
  return new Float32Array(memory, 0, count);
}
