import { SlothfulError } from '../../src/errors.ts';
import { sizeOf, type WeightSpec } from '../../src/graph/index.ts';
import {
  type Bits,
  bitsView,
  type FloatDtype,
  floatBytes,
  floatDtype,
  toFloat32Array,
  toFloats,
  toHalves,
} from '../../src/tensors/index.ts';
import { type WeightLayout, weightSpec } from '../nn/index.ts';
import { countNonFinite, type Flaw } from './non-finite.ts';
import { convTurn, matrixTurn, type Turn, transpose } from './transpose.ts';

/** How weights are stored in a model: `float16` is decoded to float32 when TF.js loads it. */
export type StoredDtype = 'float16' | 'float32';

/**
 * Two buffers that grow to the largest tensor and are used again for every one: a new buffer a tensor would cost more in
 * page faults than the copy itself. What is in a buffer is valid until its next `take`.
 */
export class Scratch {
  private readonly buffers: Record<'input' | 'output', ArrayBuffer> = {
    input: new ArrayBuffer(0),
    output: new ArrayBuffer(0),
  };

  /** A buffer of at least `bytes` bytes. */
  take(which: 'input' | 'output', bytes: number): ArrayBuffer {
    if (this.buffers[which].byteLength < bytes) this.buffers[which] = new ArrayBuffer(bytes);
    return this.buffers[which];
  }
}

/** A tensor of a checkpoint that can be read when it is needed. */
export interface TensorSource {
  /** As the file spells it. */
  readonly name: string;
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly file: string;
  /** Its file has it in two bytes a value or in one, however wide it is read: as `auto` stores it. */
  readonly isShort?: boolean;
  /** All its bytes, little-endian; into the start of `into` when that is long enough. */
  read(into?: Uint8Array): Promise<Uint8Array>;
  /** Bytes `begin` to `end`, counted from the tensor's start. What lies in shared memory is not valid for long. */
  readRange(begin: number, end: number, into?: Uint8Array): Promise<Uint8Array>;
  /** Starts what takes long to read: it is asked for next. */
  prefetch?(begin: number, end: number): void;
}

/** One weight of a model: what the manifest says of it, and how its bytes come to be. */
export interface WeightEntry {
  readonly spec: WeightSpec;
  /** Starts what takes long, in memory of its own. */
  prefetch?(): void;
  /** The bytes, little-endian. They may lie in `scratch`, and are then valid until it is used again. */
  produce(scratch: Scratch): Promise<Uint8Array>;
  /** What of it is no number, once it was produced. */
  flaw?(): Flaw;
}

/**
 * How a checkpoint's tensor becomes a weight.
 *
 * - `layout`: `as-is`; `matrix` [out, in] (or [out, in, 1, 1]) -> [in, out]; `conv` [out, in, h, w] -> [h, w, in, out]
 * - `rows`: only these of the tensor's first dimension, taken before the layout (GEGLU's two matrices)
 */
export interface Recipe {
  readonly dtype: StoredDtype;
  readonly layout: WeightLayout;
  readonly rows?: { readonly from: number; readonly to: number };
}

type Named = Pick<TensorSource, 'name' | 'file'>;

function placeOf(source: Named): string {
  return `${source.file} tensor "${source.name}"`;
}

function fail(source: TensorSource, problem: string): never {
  throw new SlothfulError('bad-checkpoint', placeOf(source), `${problem}, its shape is [${source.shape.join(', ')}]`);
}

/** The dtype of a tensor that is about to become a weight. @throws SlothfulError `unsupported` for F64, F8, I64, ... */
export function weightDtype(source: Named & Pick<TensorSource, 'dtype'>): FloatDtype {
  return floatDtype(source.dtype, placeOf(source));
}

/** Values `from` to `to` of a tensor, counted from its start, as float32. @throws SlothfulError as `weightDtype` */
export async function floatsOf(
  source: TensorSource,
  from = 0,
  to: number = sizeOf(source.shape),
): Promise<Float32Array> {
  const dtype = weightDtype(source);
  const size = floatBytes(dtype);
  return toFloat32Array(await source.readRange(size * from, size * to), dtype);
}

/** The tensor's shape after `rows`, and which bytes of it these rows are. */
function rowsOf(source: TensorSource, { rows }: Recipe, valueBytes: number) {
  const [first = 1, ...rest] = source.shape;
  const rowBytes = rest.reduce((product, size) => product * size, valueBytes);
  if (!rows) return { shape: source.shape, begin: 0, end: first * rowBytes };
  const { from, to } = rows;
  if (!(Number.isInteger(from) && Number.isInteger(to) && 0 <= from && from < to && to <= (source.shape[0] ?? 0))) {
    fail(source, `has no rows ${from} to ${to}`);
  }
  return { shape: [to - from, ...rest], begin: from * rowBytes, end: to * rowBytes };
}

/** The weight's shape, or an error where the tensor does not have the rank that its layout turns. */
function storedShape(source: TensorSource, shape: readonly number[], layout: WeightLayout): readonly number[] {
  const [out = 0, input = 0, height = 1, width = 1] = shape;
  if (layout === 'as-is') return shape;
  if (layout === 'conv') return shape.length === 4 ? [height, width, input, out] : fail(source, 'is not a convolution');
  const isMatrix = shape.length === 2 || (shape.length === 4 && height === 1 && width === 1);
  return isMatrix ? [input, out] : fail(source, 'is not a matrix');
}

function turnOf(shape: readonly number[], layout: WeightLayout): Turn | null {
  const [out = 0, input = 0] = shape;
  if (layout === 'as-is') return null;
  return layout === 'conv' ? convTurn(shape) : matrixTurn(out, input);
}

function bitsIn(buffer: ArrayBuffer, values: number, size: number): Bits {
  return size === 2 ? new Uint16Array(buffer, 0, values) : new Uint32Array(buffer, 0, values);
}

/** Transposes into the output buffer; 16-bit and 32-bit are told apart here, once. */
function turned(values: Bits, turn: Turn | null, scratch: Scratch): Bits {
  if (!turn) return values;
  const into = bitsIn(scratch.take('output', values.byteLength), values.length, values.BYTES_PER_ELEMENT);
  return transpose(values, into, turn);
}

/** Float16 bits of bytes; where they are not that already they are narrowed in place. */
function halvesOf(bytes: Uint8Array, from: FloatDtype, place: string): Bits {
  const values = bitsView(bytes, from);
  if (from === 'F16') return values;
  return toHalves(values, new Uint16Array(values.buffer, values.byteOffset, values.length), place);
}

interface Job {
  readonly from: FloatDtype;
  readonly to: StoredDtype;
  readonly turn: Turn | null;
  readonly place: string;
}

/** Narrowing comes before the transposition and widening after it, so that the fewest bytes are moved. */
function transform(bytes: Uint8Array, { from, to, turn, place }: Job, scratch: Scratch): Bits {
  if (to === 'float16') return turned(halvesOf(bytes, from, place), turn, scratch);
  const values = turned(bitsView(bytes, from), turn, scratch);
  if (values instanceof Uint32Array || from === 'F32') return values;
  // Of the two buffers, the one that the values are not in is free by now.
  const free = scratch.take(turn ? 'input' : 'output', 4 * values.length);
  return toFloats(values, from, new Uint32Array(free, 0, values.length));
}

/**
 * The weight that a recipe makes of a checkpoint's tensor. Shapes and dtypes are checked now, bytes are read by `produce`.
 *
 * @throws SlothfulError `unsupported` (dtype) or `bad-checkpoint` (shape) now; from `produce` `bad-checkpoint` where a
 * value does not fit float16, or the file ends early
 */
export function weightEntry(name: string, source: TensorSource, recipe: Recipe): WeightEntry {
  const from = weightDtype(source);
  const { shape, begin, end } = rowsOf(source, recipe, floatBytes(from));
  const { dtype: to, layout } = recipe;
  const place = placeOf(source);
  let flaws = 0;
  return {
    spec: weightSpec({ name, shape: storedShape(source, shape, layout) }, to),
    prefetch: () => source.prefetch?.(begin, end),
    async produce(scratch) {
      const bytes = await source.readRange(begin, end, new Uint8Array(scratch.take('input', end - begin)));
      flaws = countNonFinite(bytes, from);
      const job = { from, to, turn: turnOf(shape, layout), place };
      const bits = transform(bytes, job, scratch);
      const result = new Uint8Array(bits.buffer, bits.byteOffset, bits.byteLength);
      return bits.buffer instanceof SharedArrayBuffer ? kept(result, scratch) : result;
    },
    flaw: () => ({ place, count: flaws }),
  };
}

/** Shared memory gets its next values while these are still being written. */
function kept(bytes: Uint8Array, scratch: Scratch): Uint8Array {
  const copy = new Uint8Array(scratch.take('output', bytes.byteLength), 0, bytes.byteLength);
  copy.set(bytes);
  return copy;
}
