import { fileKind } from '../documents/index.ts';
import { messageOf, SlothfulError } from '../errors.ts';
import { duplicateKey } from './duplicate-key.ts';

/** Bits of one value of every dtype that safetensors knows. */
const BITS: ReadonlyMap<string, number> = new Map([
  ['BOOL', 8],
  ['F4', 4],
  ['F6_E2M3', 6],
  ['F6_E3M2', 6],
  ['U8', 8],
  ['I8', 8],
  ['F8_E5M2', 8],
  ['F8_E4M3', 8],
  ['F8_E8M0', 8],
  ['F8_E4M3FNUZ', 8],
  ['F8_E5M2FNUZ', 8],
  ['I16', 16],
  ['U16', 16],
  ['F16', 16],
  ['BF16', 16],
  ['I32', 32],
  ['U32', 32],
  ['F32', 32],
  ['C64', 64],
  ['F64', 64],
  ['I64', 64],
  ['U64', 64],
]);

/** What the header says of one tensor; `begin` and `end` are bytes from the start of the data. */
export interface TensorInfo {
  readonly name: string;
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly begin: number;
  readonly end: number;
}

/** A validated header: tensors in the order of their data. */
export interface Header {
  readonly tensors: ReadonlyMap<string, TensorInfo>;
  readonly metadata: ReadonlyMap<string, string>;
}

/** The longest header that the format allows, in bytes. */
const MAX_HEADER_BYTES = 100_000_000;
/** Bytes of the number at the start of a file that says how long the header is. */
export const LENGTH_BYTES = 8;

/** Bytes of the values of a shape, a fraction where they do not fill whole bytes; undefined where they cannot be counted. */
export function bytesOfShape(dtype: string, shape: readonly number[]): number | undefined {
  let values = 1;
  const bits = BITS.get(dtype);
  if (bits === undefined) return undefined;
  for (const size of shape) {
    values *= size;
    if (!Number.isSafeInteger(values * bits)) return undefined;
  }
  return (values * bits) / 8;
}

const CURE = 'download it again or save it again with safetensors';

function fail(place: string, problem: string, options?: ErrorOptions): never {
  throw new SlothfulError('bad-checkpoint', place, problem, CURE, options);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Never what is inside of it, which may be nested deeper than the stack is. */
function shown(value: unknown): string {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  return Array.isArray(value) ? 'a list' : 'an object';
}

function isSize(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

function decodeJson(bytes: Uint8Array, file: string): Record<string, unknown> {
  if (bytes[0] !== 0x7b) fail(file, 'the header does not start with "{": this is not a safetensors file');
  let value: unknown;
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    value = JSON.parse(text);
  } catch (error) {
    return fail(file, `the header is not JSON (${messageOf(error)})`, { cause: error });
  }
  const twice = duplicateKey(text);
  if (twice !== undefined) fail(file, `the header has the key ${JSON.stringify(twice)} twice`);
  return isObject(value) ? value : fail(file, 'the header is not a JSON object');
}

function parseMetadata(value: unknown, file: string): Map<string, string> {
  // The safetensors library writes it where there is nothing to say.
  if (value === null) return new Map();
  if (!isObject(value)) return fail(file, '"__metadata__" is not an object');
  const metadata = new Map<string, string>();
  for (const [key, text] of Object.entries(value)) {
    if (typeof text !== 'string') return fail(file, `"__metadata__" has a value that is not a text at "${key}"`);
    metadata.set(key, text);
  }
  return metadata;
}

function parseShape(value: unknown, place: string): number[] {
  if (!Array.isArray(value)) return fail(place, 'has no "shape" list');
  return value.map((size: unknown) => (isSize(size) ? size : fail(place, `has the size ${shown(size)}`)));
}

function parseSpan(value: unknown, dataBytes: number, place: string): [number, number] {
  if (!Array.isArray(value) || value.length !== 2) return fail(place, 'has no pair of "data_offsets"');
  const [begin, end]: unknown[] = value;
  if (!isSize(begin) || !isSize(end) || begin > end) {
    return fail(place, `has the data_offsets [${shown(begin)},${shown(end)}]`);
  }
  if (end > dataBytes) {
    fail(place, `ends at byte ${end} of the data, but the file holds ${dataBytes}: it is truncated or its header lies`);
  }
  return [begin, end];
}

function parseTensor(name: string, value: unknown, dataBytes: number, file: string): TensorInfo {
  const place = `${file} tensor "${name}"`;
  if (!isObject(value)) return fail(place, 'is not an object');
  const { dtype } = value;
  if (typeof dtype !== 'string' || !BITS.has(dtype)) {
    return fail(place, `has the unknown dtype ${shown(dtype)}`);
  }
  const shape = parseShape(value.shape, place);
  const [begin, end] = parseSpan(value.data_offsets, dataBytes, place);
  const bytes = bytesOfShape(dtype, shape);
  if (bytes === undefined) return fail(place, `has an impossible shape [${shape.join(', ')}]`);
  if (!Number.isInteger(bytes)) fail(place, `has a shape [${shape.join(', ')}] that does not fill whole bytes`);
  if (bytes !== end - begin) {
    fail(place, `${dtype} [${shape.join(', ')}] takes ${bytes} bytes, but its data_offsets span ${end - begin}`);
  }
  return { name, dtype, shape, begin, end };
}

/** Every byte of the data belongs to exactly one tensor: the format allows neither overlap nor hole. */
function checkCover(tensors: readonly TensorInfo[], dataBytes: number, file: string): void {
  let covered = 0;
  let previous = 'the start';
  for (const { name, begin, end } of tensors) {
    if (begin < covered) fail(`${file} tensor "${name}"`, `starts at byte ${begin}, inside of ${previous}`);
    if (begin > covered) {
      fail(`${file} tensor "${name}"`, `starts at byte ${begin}, ${begin - covered} bytes after ${previous} ends`);
    }
    covered = end;
    previous = `"${name}"`;
  }
  if (covered !== dataBytes) fail(file, `${dataBytes - covered} bytes after ${previous} belong to no tensor`);
}

/**
 * How long the header of a file is, by how it begins.
 *
 * @param start its first 8 bytes, or more, by which is told what else it is
 * @param fileBytes bytes of the whole file
 * @throws SlothfulError `bad-checkpoint` where the file cannot hold such a header
 */
export function headerLength(start: Uint8Array, fileBytes: number, file: string): number {
  const kind = fileKind(start, fileBytes);
  if (kind && kind.kind !== 'safetensors') throw new SlothfulError('bad-checkpoint', file, kind.what, kind.cure);
  const wrong = (problem: string): never => {
    throw new SlothfulError('bad-checkpoint', file, problem, 'download it again: it is truncated or not safetensors');
  };
  if (fileBytes < LENGTH_BYTES) wrong(`has ${fileBytes} bytes, less than the 8 of a header length`);
  const length = new DataView(start.buffer, start.byteOffset).getBigUint64(0, true);
  if (length > BigInt(MAX_HEADER_BYTES)) wrong(`claims a header of ${length} bytes; ${MAX_HEADER_BYTES} are allowed`);
  if (length > BigInt(fileBytes - LENGTH_BYTES)) {
    wrong(`claims a header of ${length} bytes, but only ${fileBytes - LENGTH_BYTES} bytes follow`);
  }
  return Number(length);
}

/**
 * Parses and validates the JSON header of a safetensors file.
 *
 * @param bytes the header, without its length
 * @param dataBytes how many bytes of data the file holds after the header
 * @param file for messages
 * @throws SlothfulError `bad-checkpoint` naming file, tensor and numbers
 * Source: the safetensors format description.
 */
export function parseHeader(bytes: Uint8Array, dataBytes: number, file: string): Header {
  const json = decodeJson(bytes, file);
  let metadata = new Map<string, string>();
  const tensors: TensorInfo[] = [];
  for (const [name, value] of Object.entries(json)) {
    if (name === '__metadata__') metadata = parseMetadata(value, file);
    else tensors.push(parseTensor(name, value, dataBytes, file));
  }
  tensors.sort((a, b) => a.begin - b.begin || a.end - b.end);
  checkCover(tensors, dataBytes, file);
  return { tensors: new Map(tensors.map((tensor) => [tensor.name, tensor])), metadata };
}
