import { halfToFloat } from '../tensors/index.ts';
import { type Attribute, type DType, dimensionsOf, dtypeOf, fromBase64, type TensorAttribute } from './attributes.ts';
import { sizeOf, type WeightSpec } from './weights.ts';

/** The values of a small constant: a shape, a permutation, a scale. */
export interface ConstantValue {
  readonly dtype: 'float32' | 'int32' | 'bool';
  readonly shape: readonly number[];
  readonly values: readonly number[];
}

/** Constants of at most this many elements are worth reading and writing into the document. */
export const SMALL_CONSTANT = 64;

/** Whether a weight is small enough to be a constant of the graph's logic rather than a parameter. */
export function isSmall(spec: WeightSpec): boolean {
  return spec.dtype !== 'string' && spec.dtype !== 'complex64' && sizeOf(spec.shape) <= SMALL_CONSTANT;
}

/** Bytes of a constant as a weights shard stores it. */
export function constantBytes({ dtype, values }: ConstantValue): Uint8Array {
  if (dtype === 'bool') return Uint8Array.from(values);
  const array = dtype === 'int32' ? Int32Array.from(values) : Float32Array.from(values);
  return new Uint8Array(array.buffer);
}

/** Values of a constant from the bytes of its shard, dequantized; undefined where the length does not fit. */
export function constantFromBytes(spec: WeightSpec, bytes: Uint8Array): ConstantValue | undefined {
  if (spec.dtype === 'string' || spec.dtype === 'complex64') return undefined;
  const size = sizeOf(spec.shape);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const read = reader(spec, view);
  const width = bytes.byteLength / Math.max(size, 1);
  if (size > 0 && width !== read.width) return undefined;
  const values = Array.from({ length: size }, (_, index) => read.at(index * read.width));
  return { dtype: spec.dtype, shape: spec.shape, values };
}

function reader(spec: WeightSpec, view: DataView): { width: number; at(offset: number): number } {
  const { scale = 1, min = 0 } = spec.quantization ?? {};
  switch (spec.quantization?.dtype ?? spec.dtype) {
    case 'float16':
      return { width: 2, at: (offset) => halfToFloat(view.getUint16(offset, true)) };
    case 'uint8':
      return { width: 1, at: (offset) => view.getUint8(offset) * scale + min };
    case 'uint16':
      return { width: 2, at: (offset) => view.getUint16(offset, true) * scale + min };
    case 'bool':
      return { width: 1, at: (offset) => view.getUint8(offset) };
    case 'int32':
      return { width: 4, at: (offset) => view.getInt32(offset, true) };
    default:
      return { width: 4, at: (offset) => view.getFloat32(offset, true) };
  }
}

/** The constant as an attribute of its node, so that a lone model.json tells its shapes and scales. */
export function inlineConstant(constant: ConstantValue): Attribute {
  const type = { float32: 'DT_FLOAT', int32: 'DT_INT32', bool: 'DT_BOOL' }[constant.dtype];
  const content = Array.from(constantBytes(constant), (byte) => String.fromCharCode(byte)).join('');
  return {
    tensor: {
      dtype: type,
      tensorShape: { dim: constant.shape.map((size) => ({ size: String(size) })) },
      tensorContent: btoa(content),
    },
  };
}

/**
 * Reads a constant that is written into its node; undefined where it is not there or not understood.
 *
 * @param place the node, for messages
 * @throws SlothfulError `bad-graph` where its content is not base64
 */
export function constantFromInline(tensor: TensorAttribute | undefined, place: string): ConstantValue | undefined {
  const dtype: DType | undefined = dtypeOf(tensor?.dtype);
  if (!tensor?.tensorContent || dtype === undefined || dtype === 'string' || dtype === 'complex64') return undefined;
  if (!/^(DT_FLOAT|DT_INT32|DT_BOOL|1|3|10)$/.test(String(tensor.dtype))) return undefined;
  const shape = dimensionsOf(tensor.tensorShape ?? {});
  if (sizeOf(shape) > SMALL_CONSTANT) return undefined;
  const bytes = Uint8Array.from(fromBase64(tensor.tensorContent, place), (char) => char.charCodeAt(0));
  return constantFromBytes({ name: '', shape, dtype }, bytes);
}
