import type { Attribute, ListAttribute, TensorAttribute } from './attributes.ts';
import { isObject, type JsonObject } from './document.ts';

/**
 * Reads an attribute of a node, in every spelling that TF.js reads: texts in base64, or as lists of the values of their bytes
 * as converters before 2.0 wrote them. What is read is in the one spelling that is written.
 *
 * @returns undefined for what is no attribute
 */
export function readAttribute(value: unknown): Attribute | undefined {
  if (!isObject(value)) return undefined;
  const { s, tensor, list, ...others } = withoutNulls(value);
  const text = s === undefined ? undefined : readText(s);
  const constant = tensor === undefined ? undefined : readTensor(tensor);
  const values = list === undefined ? undefined : readList(list);
  const isUnread = (given: unknown, read: unknown) => given !== undefined && read === undefined;
  if (isUnread(s, text) || isUnread(tensor, constant) || isUnread(list, values) || !isPlain(others)) return undefined;
  return {
    ...others,
    ...(text === undefined ? {} : { s: text }),
    ...(constant === undefined ? {} : { tensor: constant }),
    ...(values === undefined ? {} : { list: values }),
  };
}

const withoutNulls = (value: JsonObject): JsonObject =>
  Object.fromEntries(Object.entries(value).filter(([, field]) => field !== null));

/**
 * The words of TensorFlow's attributes that some tools leave as they are. Those that are base64 as well would be read as other
 * bytes, and TF.js knows none of them: as a text of base64 they mean nothing.
 */
const WORDS: ReadonlySet<string> = new Set(
  [
    'SAME VALID EXPLICIT NHWC NCHW NDHWC NCDHW NWC REFLECT SYMMETRIC BiasAdd Relu Relu6 Elu LeakyRelu Sigmoid Prelu',
    'FusedBatchNorm bilinear nearest half_pixel',
  ].flatMap((line) => line.split(' ')),
);

/** The equation of an einsum, which no base64 looks like. */
const EQUATION = /^[a-z., ]*->[a-z. ]*$/i;

/** A text in base64; what is neither that nor a word stays as it is, for the one that reads it to refuse by name. */
function readText(value: unknown): string | undefined {
  if (typeof value === 'string') return WORDS.has(value) || EQUATION.test(value) ? btoa(value) : value;
  const isByte = (item: unknown) => typeof item === 'number' && Number.isInteger(item) && item >= 0 && item <= 255;
  if (!Array.isArray(value) || !value.every(isByte)) return undefined;
  return btoa(value.map((byte: number) => String.fromCharCode(byte)).join(''));
}

function isPlain(value: JsonObject): value is Omit<Attribute, 's' | 'tensor' | 'list'> & JsonObject {
  const { i, f, b, type, shape } = value;
  return (
    isOptional(i, 'string', 'number') &&
    isOptional(f, 'string', 'number') &&
    isOptional(b, 'boolean') &&
    isOptional(type, 'string', 'number') &&
    (shape === undefined || isShape(shape))
  );
}

const isOptional = (value: unknown, ...types: string[]) => value === undefined || types.includes(typeof value);
const isList = (value: unknown, ...types: string[]) =>
  value === undefined || (Array.isArray(value) && value.every((item) => types.includes(typeof item)));

function isShape(value: unknown): boolean {
  if (!isObject(value)) return false;
  if (value.dim === undefined || value.dim === null) return true;
  const isSize = (size: unknown) => size === undefined || typeof size === 'string' || typeof size === 'number';
  return Array.isArray(value.dim) && value.dim.every((dim) => isObject(dim) && isSize(dim.size));
}

function readTensor(value: unknown): TensorAttribute | undefined {
  if (!isObject(value)) return undefined;
  const { tensorContent, ...others } = withoutNulls(value);
  const content = tensorContent === undefined ? undefined : readText(tensorContent);
  const isRead = tensorContent === undefined || content !== undefined;
  if (!isRead || !isTensor(others)) return undefined;
  return content === undefined ? others : { ...others, tensorContent: content };
}

function isTensor(value: JsonObject): value is Omit<TensorAttribute, 'tensorContent'> & JsonObject {
  return isOptional(value.dtype, 'string', 'number') && (value.tensorShape === undefined || isShape(value.tensorShape));
}

function readList(value: unknown): ListAttribute | undefined {
  if (!isObject(value)) return undefined;
  const { s, ...others } = withoutNulls(value);
  if (!isPlainList(others)) return undefined;
  if (s === undefined) return others;
  if (!Array.isArray(s)) return undefined;
  const texts = s.map(readText);
  const isText = (text: string | undefined): text is string => text !== undefined;
  return texts.every(isText) ? { ...others, s: texts } : undefined;
}

function isPlainList(value: JsonObject): value is Omit<ListAttribute, 's'> & JsonObject {
  const { i, f, b, type } = value;
  return (
    isList(i, 'string', 'number') &&
    isList(f, 'number', 'string') &&
    isList(b, 'boolean') &&
    isList(type, 'string', 'number')
  );
}
