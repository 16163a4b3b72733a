import { SlothfulError } from '../../src/errors.ts';
import { sizeOf } from '../../src/graph/index.ts';
import { float8ToHalves, isFloat8Dtype, toNumbers } from '../../src/tensors/index.ts';
import { floatsOf, type TensorSource } from './entry.ts';

type ReadInto = (bytes: Uint8Array, into: Uint8Array) => void;

/** The start of `into` if it has room, and lies on whole values, else new memory. */
function roomFor(bytes: number, size: number, into?: Uint8Array): Uint8Array {
  const fits = into && into.byteLength >= bytes && into.byteOffset % size === 0;
  return fits ? into.subarray(0, bytes) : new Uint8Array(bytes);
}

/** A source whose values are decoded when they are read. `from` and `to` are bytes of a value in the file and decoded. */
function decodedSource(source: TensorSource, from: number, to: number, dtype: string, decode: ReadInto): TensorSource {
  const values = sizeOf(source.shape);
  async function readRange(begin: number, end: number, into?: Uint8Array): Promise<Uint8Array> {
    const [first, last] = [Math.floor(begin / to), Math.ceil(end / to)];
    const room = roomFor((last - first) * to, to, into);
    // Narrow values are read behind where they become wide ones, and are overtaken by none of these.
    const behind = from < to ? room.subarray((last - first) * (to - from)) : undefined;
    decode(await source.readRange(first * from, last * from, behind), room);
    return room.subarray(begin - first * to, end - first * to);
  }
  return { ...source, dtype, readRange, read: (into) => readRange(0, values * to, into) };
}

/**
 * A tensor as the rest can read it: eight-bit floats as the float16 values that they are, float64 rounded to float32. Other
 * dtypes are left as they are.
 */
export function decoded(source: TensorSource): TensorSource {
  const { dtype } = source;
  if (isFloat8Dtype(dtype)) {
    return decodedSource(source, 1, 2, 'F16', (bytes, into) => {
      float8ToHalves(bytes, dtype, new Uint16Array(into.buffer, into.byteOffset, into.byteLength / 2));
    });
  }
  if (dtype !== 'F64') return source;
  return decodedSource(source, 8, 4, 'F32', (bytes, into) => {
    const floats = toNumbers(bytes, dtype) ?? new Float32Array();
    into.set(new Uint8Array(floats.buffer, floats.byteOffset, floats.byteLength));
  });
}

/** How a layer's scale is called beside its weight, and what else quantised layers have that is not computed with here. */
const SCALES = ['scale_weight', 'weight_scale'] as const;
const PASSED_OVER = ['scale_weight', 'weight_scale', 'scale_input', 'input_scale', 'comfy_quant'] as const;
/** Says that a model's weights may have scales. */
const MARK = /(?:^|\.)scaled_fp8$/;

/**
 * The tensors of a model whose weights were divided by scales, as they were: each with its scale times its values, and
 * without the tensors that say so. Models without scales are returned as they are.
 *
 * Source: ComfyUI, `scaled_fp8_ops` (`scale_weight`) and `mixed_precision_ops` (`weight_scale`).
 *
 * @throws SlothfulError `unsupported` for scales of blocks
 */
export function unscaled(tensors: ReadonlyMap<string, TensorSource>): ReadonlyMap<string, TensorSource> {
  const found = new Map(tensors);
  for (const [name, source] of tensors) {
    if (MARK.test(name)) found.delete(name);
    const layer = name.endsWith('.weight') ? name.slice(0, -'weight'.length) : undefined;
    const scale = layer && SCALES.map((each) => tensors.get(`${layer}${each}`)).find((each) => each !== undefined);
    // What is no float here is refused by its dtype, with all that belongs to it.
    if (!scale || !/^(?:F16|BF16|F32)$/.test(source.dtype)) continue;
    found.set(name, scaledSource(source, scale));
    for (const other of PASSED_OVER) found.delete(`${layer}${other}`);
  }
  return found;
}

/** A weight times its scale: one number, or one for each row. */
function scaledSource(source: TensorSource, scale: TensorSource): TensorSource {
  const [rows = 1, ...inner] = source.shape;
  const columns = sizeOf(inner);
  const scales = sizeOf(scale.shape);
  const isByRow = scale.shape[0] === rows && scales === rows;
  if (scales !== 1 && !isByRow) {
    const problem = `is [${scale.shape.join(', ')}], which is neither one scale nor one for each row of [${source.shape.join(', ')}]`;
    const cure = 'give a checkpoint in fp16, or in fp8 with one scale a layer';
    throw new SlothfulError('unsupported', `${scale.file} tensor "${scale.name}"`, problem, cure);
  }
  async function readRange(begin: number, end: number, into?: Uint8Array): Promise<Uint8Array> {
    const [first, last] = [Math.floor(begin / 4), Math.ceil(end / 4)];
    const room = roomFor((last - first) * 4, 4, into);
    const [factors, values] = [await floatsOf(scale), await floatsOf(source, first, last)];
    const floats = new Float32Array(room.buffer, room.byteOffset, last - first);
    for (let i = 0; i < floats.length; i++) {
      const row = isByRow ? Math.floor((first + i) / columns) : 0;
      floats[i] = (values[i] ?? 0) * (factors[row] ?? Number.NaN);
    }
    return room.subarray(begin - first * 4, end - first * 4);
  }
  const read = (into?: Uint8Array) => readRange(0, rows * columns * 4, into);
  return { ...source, dtype: 'F32', isShort: true, readRange, read };
}
