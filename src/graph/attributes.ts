import { SlothfulError } from '../errors.ts';

/** The dtypes that a TF.js weight or placeholder can have. */
export type DType = 'float32' | 'int32' | 'bool' | 'string' | 'complex64';

/** An attribute value as model.json spells it. It was validated when the document was read. */
export interface Attribute {
  readonly s?: string;
  readonly i?: string | number;
  readonly f?: number | string;
  readonly b?: boolean;
  readonly type?: string | number;
  readonly shape?: ShapeAttribute;
  readonly tensor?: TensorAttribute;
  readonly list?: ListAttribute;
  readonly func?: unknown;
  readonly placeholder?: string;
}

export interface ShapeAttribute {
  readonly dim?: ReadonlyArray<{ readonly size?: string | number }>;
  readonly unknownRank?: boolean;
}

/** A small constant written into the node itself. TF.js ignores it; readers of a lone model.json do not. */
export interface TensorAttribute {
  readonly dtype?: string | number;
  readonly tensorShape?: ShapeAttribute;
  readonly tensorContent?: string;
  readonly [other: string]: unknown;
}

export interface ListAttribute {
  readonly s?: readonly string[];
  readonly i?: ReadonlyArray<string | number>;
  readonly f?: readonly number[];
  readonly b?: readonly boolean[];
  readonly type?: ReadonlyArray<string | number>;
  readonly shape?: readonly ShapeAttribute[];
  readonly [other: string]: unknown;
}

export type Attributes = Readonly<Record<string, Attribute>>;

/** TensorFlow's numbers for the types, which some exporters write in place of the names. */
const TYPE_NAMES: Readonly<Record<number, string>> = {
  1: 'DT_FLOAT',
  2: 'DT_DOUBLE',
  3: 'DT_INT32',
  4: 'DT_UINT8',
  5: 'DT_INT16',
  6: 'DT_INT8',
  7: 'DT_STRING',
  8: 'DT_COMPLEX64',
  9: 'DT_INT64',
  10: 'DT_BOOL',
  14: 'DT_BFLOAT16',
  18: 'DT_COMPLEX128',
  19: 'DT_HALF',
};

const DTYPE_OF: Readonly<Record<string, DType>> = {
  DT_FLOAT: 'float32',
  DT_HALF: 'float32',
  DT_BFLOAT16: 'float32',
  DT_DOUBLE: 'float32',
  DT_INT32: 'int32',
  DT_INT64: 'int32',
  DT_INT16: 'int32',
  DT_INT8: 'int32',
  DT_UINT8: 'int32',
  DT_BOOL: 'bool',
  DT_STRING: 'string',
  DT_COMPLEX64: 'complex64',
  DT_COMPLEX128: 'complex64',
};

const NAME_OF: Readonly<Record<DType, string>> = {
  float32: 'DT_FLOAT',
  int32: 'DT_INT32',
  bool: 'DT_BOOL',
  string: 'DT_STRING',
  complex64: 'DT_COMPLEX64',
};

/** Attribute constructors, in model.json's spelling. */
export const attr = {
  int: (value: number): Attribute => ({ i: String(value) }),
  float: (value: number): Attribute => ({ f: value }),
  bool: (value: boolean): Attribute => ({ b: value }),
  string: (value: string): Attribute => ({ s: btoa(value) }),
  type: (dtype: DType): Attribute => ({ type: NAME_OF[dtype] }),
  shape: (dims: readonly number[]): Attribute => ({ shape: { dim: dims.map((size) => ({ size: String(size) })) } }),
  ints: (values: readonly number[]): Attribute => ({ list: { i: values.map(String) } }),
  strings: (values: readonly string[]): Attribute => ({ list: { s: values.map((value) => btoa(value)) } }),
} as const;

/** The integer of an attribute, or `fallback` where it is absent (proto3 leaves zeros out). */
export function readInt(attributes: Attributes, name: string, fallback = 0): number {
  const value = attributes[name]?.i;
  return value === undefined ? fallback : Number(value);
}

export function readFloat(attributes: Attributes, name: string, fallback = 0): number {
  const value = attributes[name]?.f;
  return value === undefined ? fallback : Number(value);
}

export function readBool(attributes: Attributes, name: string, fallback = false): boolean {
  return attributes[name]?.b ?? fallback;
}

/** The decoded text of an attribute; model.json holds it in base64. */
export function readString(attributes: Attributes, name: string, fallback = ''): string {
  const value = attributes[name]?.s;
  return value === undefined ? fallback : decodeText(value);
}

export function readStrings(attributes: Attributes, name: string): string[] {
  return (attributes[name]?.list?.s ?? []).map(decodeText);
}

export function readInts(attributes: Attributes, name: string): number[] {
  return (attributes[name]?.list?.i ?? []).map(Number);
}

/** The dimensions of a shape attribute; -1 where unknown; undefined where the rank is unknown or there is none. */
export function readShape(attributes: Attributes, name: string): number[] | undefined {
  const shape = attributes[name]?.shape;
  return shape && !shape.unknownRank ? dimensionsOf(shape) : undefined;
}

/** The dtype of a type attribute, undefined where there is none or TF.js has no such type. */
export function readType(attributes: Attributes, name: string): DType | undefined {
  return dtypeOf(attributes[name]?.type);
}

/** The TF.js dtype of a TensorFlow type name or number. */
export function dtypeOf(type: string | number | undefined): DType | undefined {
  if (type === undefined) return undefined;
  const name = typeof type === 'number' ? TYPE_NAMES[type] : type;
  return name === undefined ? undefined : DTYPE_OF[name];
}

export function dimensionsOf(shape: ShapeAttribute): number[] {
  return (shape.dim ?? []).map(({ size }) => Number(size ?? 0));
}

function decodeText(base64: string): string {
  return fromBase64(base64, 'model.json');
}

/** The bytes of a base64 text, a character each. @throws SlothfulError `bad-graph` */
export function fromBase64(base64: string, place: string): string {
  try {
    return atob(base64);
  } catch {
    throw new SlothfulError('bad-graph', place, `an attribute is not base64: "${base64.slice(0, 40)}"`);
  }
}
