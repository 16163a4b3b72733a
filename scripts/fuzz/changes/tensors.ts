import fc from 'fast-check';
import { isObject, type JsonObject } from '../../../src/graph/index.ts';
import { HOSTILE_DIGITS, HOSTILE_NAMES, HOSTILE_SIZES, HOSTILE_TEXTS } from '../hostile.ts';
import { changeJson, type JsonChange, printJson, withDigits } from './json.ts';

/** A tensor of a safetensors file, with its bytes. */
export interface FuzzTensor {
  readonly name: string;
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly bytes: Uint8Array;
}

/** A safetensors file, taken apart. */
export interface TensorFile {
  readonly tensors: readonly FuzzTensor[];
  readonly metadata: Readonly<Record<string, string>>;
}

/** What is done to one tensor; the file is then written so that header and data fit each other. */
type Edit =
  | { readonly does: 'drop' }
  | { readonly does: 'name'; readonly name: string }
  | { readonly does: 'digits'; readonly digits: string; readonly isCopy: boolean }
  | { readonly does: 'size'; readonly dimension: number; readonly size: number }
  | { readonly does: 'rank'; readonly rank: number }
  | { readonly does: 'dtype'; readonly dtype: string }
  | { readonly does: 'empty' }
  | { readonly does: 'values'; readonly byte: number }
  | { readonly does: 'swap'; readonly other: number }
  | { readonly does: 'metadata'; readonly text: string };

/** A change of the tensor that `pick` leads to. */
export interface TensorChange {
  readonly pick: number;
  readonly edit: Edit;
}

/** Bits of a value. F4 takes half a byte, F8 one. */
const DTYPES: ReadonlyMap<string, number> = new Map([
  ['F16', 16],
  ['BF16', 16],
  ['F32', 32],
  ['F64', 64],
  ['I64', 64],
  ['U8', 8],
  ['BOOL', 8],
  ['F8_E4M3', 8],
  ['F4', 4],
]);

/** Larger tensors are not made: what a file merely claims is for changes of its header. */
const MOST_BYTES = 2 ** 22;

const of = <T extends Edit['does']>(does: T) => fc.constant(does);

const EDIT: fc.Arbitrary<Edit> = fc.oneof(
  { weight: 1, arbitrary: fc.record({ does: of('drop') }) },
  { weight: 2, arbitrary: fc.record({ does: of('name'), name: fc.constantFrom(...HOSTILE_NAMES) }) },
  {
    weight: 3,
    arbitrary: fc.record({
      does: of('digits'),
      digits: fc.constantFrom(...HOSTILE_DIGITS),
      isCopy: fc.boolean(),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ does: of('size'), dimension: fc.nat(3), size: fc.constantFrom(...HOSTILE_SIZES) }),
  },
  { weight: 1, arbitrary: fc.record({ does: of('rank'), rank: fc.nat(6) }) },
  { weight: 1, arbitrary: fc.record({ does: of('dtype'), dtype: fc.constantFrom(...DTYPES.keys()) }) },
  { weight: 1, arbitrary: fc.record({ does: of('empty') }) },
  { weight: 1, arbitrary: fc.record({ does: of('values'), byte: fc.constantFrom(0, 0x7c, 0x7f, 0x80, 0xff) }) },
  { weight: 1, arbitrary: fc.record({ does: of('swap'), other: fc.nat() }) },
  { weight: 1, arbitrary: fc.record({ does: of('metadata'), text: fc.constantFrom(...HOSTILE_TEXTS, '0', '1e9') }) },
);

export const TENSOR_CHANGE: fc.Arbitrary<TensorChange> = fc.record({ pick: fc.nat(), edit: EDIT });

/** The file with a change. */
export function changeTensors(file: TensorFile, { pick, edit }: TensorChange): TensorFile {
  const index = pick % Math.max(1, file.tensors.length);
  const tensor = file.tensors[index];
  if (edit.does === 'metadata') return { ...file, metadata: changedMetadata(file.metadata, pick, edit.text) };
  if (!tensor) return file;
  if (edit.does === 'drop') return { ...file, tensors: file.tensors.toSpliced(index, 1) };
  if (edit.does === 'swap') {
    const other = edit.other % file.tensors.length;
    const shaped = file.tensors[other] ?? tensor;
    return { ...file, tensors: file.tensors.with(index, { ...shaped, name: tensor.name }) };
  }
  const changed = changedTensor(tensor, edit);
  const isCopy = edit.does === 'digits' && edit.isCopy;
  return { ...file, tensors: isCopy ? [...file.tensors, changed] : file.tensors.with(index, changed) };
}

function changedMetadata(metadata: Readonly<Record<string, string>>, pick: number, text: string) {
  const keys = [...Object.keys(metadata), 'ss_network_dim', '__proto__'];
  return Object.fromEntries([...Object.entries(metadata), [keys[pick % keys.length] ?? 'key', text]]);
}

function changedTensor(tensor: FuzzTensor, edit: Edit): FuzzTensor {
  switch (edit.does) {
    case 'name':
      return { ...tensor, name: edit.name };
    case 'digits':
      return { ...tensor, name: withDigits(tensor.name, edit.digits) };
    case 'size':
      return reshaped(tensor, resized(tensor.shape, edit.dimension, edit.size));
    case 'rank':
      return reshaped(
        tensor,
        Array.from({ length: edit.rank }, (_, dimension) => tensor.shape[dimension] ?? 1),
      );
    case 'dtype':
      return reshaped({ ...tensor, dtype: edit.dtype }, tensor.shape);
    case 'empty':
      return reshaped(tensor, [0, ...tensor.shape.slice(1)]);
    case 'values':
      return { ...tensor, bytes: new Uint8Array(tensor.bytes.length).fill(edit.byte) };
    default:
      return tensor;
  }
}

/** A shape with another size in a dimension, or its last where it has fewer. */
function resized(shape: readonly number[], dimension: number, size: number): readonly number[] {
  return shape.length ? shape.with(Math.min(dimension, shape.length - 1), size) : [size];
}

/** Zeros of that shape; the tensor as it is where they would be too many. */
function reshaped(tensor: FuzzTensor, shape: readonly number[]): FuzzTensor {
  const bits = shape.reduce((product, size) => product * size, DTYPES.get(tensor.dtype) ?? 8);
  return bits / 8 > MOST_BYTES ? tensor : { ...tensor, shape, bytes: new Uint8Array(Math.ceil(bits / 8)) };
}

/**
 * The bytes of a file, whose header and data fit but for the changes of the header.
 *
 * @param changes of the header as JSON
 */
export function encodeTensors({ tensors, metadata }: TensorFile, changes: readonly JsonChange[]): Uint8Array {
  let offset = 0;
  const fields = tensors.map(({ name, dtype, shape, bytes }) => {
    const begin = offset;
    offset += bytes.length;
    return [name, { dtype, shape, data_offsets: [begin, offset] }] as const;
  });
  const given = Object.keys(metadata).length ? [['__metadata__', metadata] as const] : [];
  const header = changes.reduce<unknown>(changeJson, Object.fromEntries([...given, ...fields]));
  const text = Buffer.from(printJson(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  return Buffer.concat([length, text, ...tensors.map(({ bytes }) => bytes)]);
}

/** A safetensors file of ours, taken apart; nothing of it is checked. */
export function takeApart(file: Uint8Array): TensorFile {
  const bytes = Buffer.from(file.buffer, file.byteOffset, file.byteLength);
  const start = 8 + Number(bytes.readBigUInt64LE());
  const header: unknown = JSON.parse(bytes.toString('utf8', 8, start));
  const { __metadata__: metadata = {}, ...fields } = isObject(header) ? header : {};
  const tensors = Object.entries(fields).map(([name, field]) => tensorOf(name, field, bytes.subarray(start)));
  return { tensors, metadata: isObject(metadata) ? textsOf(metadata) : {} };
}

function tensorOf(name: string, field: unknown, data: Uint8Array): FuzzTensor {
  const { dtype, shape, data_offsets: span } = isObject(field) ? field : {};
  const [begin = 0, end = 0] = numbersOf(span);
  return { name, dtype: String(dtype), shape: numbersOf(shape), bytes: data.subarray(begin, end) };
}

function numbersOf(value: unknown): number[] {
  return Array.isArray(value) ? value.map(Number) : [];
}

function textsOf(metadata: JsonObject): Record<string, string> {
  return Object.fromEntries(Object.entries(metadata).map(([key, text]) => [key, String(text)]));
}
