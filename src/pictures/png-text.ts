import { inflateSync } from 'node:zlib';
import { messageOf, SlothfulError } from '../errors.ts';

const SIGNATURE = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
/** Length, type and CRC of a chunk: what it takes beside its data. */
const FRAME = 12;
/** The most that the compressed texts of one file may become together: a small file can claim gigabytes. */
const MOST_INFLATED = 2 ** 24;
const LONGEST_KEYWORD = 79;

interface Chunk {
  readonly type: string;
  /** Where in the file it begins. */
  readonly start: number;
  readonly data: Buffer;
}

/**
 * A PNG file with texts in it, before its pixels: as tEXt, which every reader knows, where letters of Latin-1 are
 * enough, else as iTXt. `encodePng` cannot write them, as pngjs cannot.
 *
 * @param texts by keyword; `parameters` is where A1111 keeps its infotext
 * @throws SlothfulError `bad-input` where the bytes are not a PNG, or a keyword is not 1 to 79 letters of Latin-1
 */
export function withPngText(png: Uint8Array, texts: Readonly<Record<string, string>>): Uint8Array {
  const file = bufferOf(png);
  const place = 'the picture';
  for (const { type, start } of chunksOf(file, place)) {
    // Readers take the last of one keyword, so a text goes behind those that are there.
    if (type !== 'IDAT') continue;
    const chunks = Object.entries(texts).map(([key, text]) => textChunk(key, text));
    return Buffer.concat([file.subarray(0, start), ...chunks, file.subarray(start)]);
  }
  throw broken(place, 'is a PNG without pixels');
}

/**
 * The texts of a PNG file by keyword, from its tEXt, zTXt and iTXt chunks; the last one counts where a keyword comes
 * twice. Whatever else is in the file is not looked at.
 *
 * @param place the file, for messages
 * @throws SlothfulError `bad-input` where it is not a PNG, is cut off, or a text in it is broken or too long
 * Source: PNG (Third Edition), 5.3 and 11.3.3.
 */
export function readPngText(bytes: Uint8Array, place: string): Map<string, string> {
  const texts = new Map<string, string>();
  const file = bufferOf(bytes);
  let room = MOST_INFLATED;
  const inflate = (data: Buffer, at: string) => {
    const inflated = inflateWithin(data, room, at);
    room -= inflated.length;
    return inflated;
  };
  for (const chunk of chunksOf(file, place)) {
    const read = READERS.get(chunk.type);
    if (!read) continue;
    const at = `${place} ${chunk.type} at byte ${chunk.start}`;
    checkCrc(file, chunk, at);
    const [key, rest] = splitAtNul(chunk.data, at);
    texts.set(key.toString('latin1'), read(rest, at, inflate));
  }
  return texts;
}

/** What stands behind the keyword, as text. */
type TextReader = (rest: Buffer, at: string, inflate: (data: Buffer, at: string) => Buffer) => string;

const READERS: ReadonlyMap<string, TextReader> = new Map<string, TextReader>([
  ['tEXt', (rest) => rest.toString('latin1')],
  ['zTXt', (rest, at, inflate) => inflate(deflated(rest, at), at).toString('latin1')],
  ['iTXt', internationalText],
]);

/** Compression flag and method, language, the keyword in that language, and then the text. */
function internationalText(rest: Buffer, at: string, inflate: (data: Buffer, at: string) => Buffer): string {
  const flag = rest[0];
  if (flag !== 0 && flag !== 1) throw broken(at, 'does not say whether it is compressed');
  const [, afterLanguage] = splitAtNul(rest.subarray(2), at);
  const [, text] = splitAtNul(afterLanguage, at);
  const written = flag ? inflate(deflated(Buffer.concat([rest.subarray(1, 2), text]), at), at) : text;
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(written);
  } catch {
    throw broken(at, 'is not UTF-8');
  }
}

/** What is behind the method of compression, of which there is but one. */
function deflated(data: Buffer, at: string): Buffer {
  if (data[0] === 0) return data.subarray(1);
  throw broken(at, `has compression method ${data[0] ?? 'none'}, not 0`);
}

function inflateWithin(data: Buffer, room: number, at: string): Buffer {
  try {
    return inflateSync(data, { maxOutputLength: Math.max(1, room) });
  } catch (error) {
    if (!(error instanceof RangeError)) throw broken(at, `cannot be inflated (${messageOf(error)})`);
    throw broken(at, `inflates to more than the ${MOST_INFLATED} bytes that all texts of a file may have`);
  }
}

/** The chunks up to IEND. A length counts only where the file has as many bytes. */
function* chunksOf(file: Buffer, place: string): Generator<Chunk> {
  if (!file.subarray(0, SIGNATURE.length).equals(SIGNATURE)) throw broken(place, 'is not a PNG');
  for (let start = SIGNATURE.length; ; ) {
    const left = file.length - start - FRAME;
    const length = left < 0 ? 0 : file.readUInt32BE(start);
    if (length > left) throw broken(place, `is cut off in its chunk at byte ${start}`);
    const end = start + FRAME + length;
    const chunk = {
      type: file.toString('latin1', start + 4, start + 8),
      start,
      data: file.subarray(start + 8, end - 4),
    };
    if (start === SIGNATURE.length && chunk.type !== 'IHDR')
      throw broken(place, 'is not a PNG: it begins with no IHDR');
    yield chunk;
    if (chunk.type === 'IEND') return;
    start = end;
  }
}

function checkCrc(file: Buffer, { start, data }: Chunk, at: string): void {
  const end = start + 8 + data.length;
  if (crc32(file.subarray(start + 4, end)) !== file.readUInt32BE(end)) throw broken(at, 'does not match its CRC');
}

function splitAtNul(data: Buffer, at: string): [before: Buffer, after: Buffer] {
  const nul = data.indexOf(0);
  if (nul < 0) throw broken(at, 'ends before its text begins');
  return [data.subarray(0, nul), data.subarray(nul + 1)];
}

function textChunk(key: string, text: string): Buffer {
  if (!key || key.length > LONGEST_KEYWORD || !isLatin1(key)) {
    const cure = `name it in 1 to ${LONGEST_KEYWORD} letters of Latin-1`;
    throw new SlothfulError('bad-input', `text ${JSON.stringify(key)}`, 'cannot be the keyword of a PNG', cure);
  }
  if (isLatin1(text)) return chunkOf('tEXt', Buffer.from(`${key}\0${text}`, 'latin1'));
  // Not compressed, method 0, no language and no other keyword.
  return chunkOf('iTXt', Buffer.concat([Buffer.from(`${key}\0\0\0\0\0`, 'latin1'), Buffer.from(text, 'utf8')]));
}

/** Without NUL, which ends a keyword. */
function isLatin1(text: string): boolean {
  return !text.includes('\0') && Buffer.from(text, 'latin1').toString('latin1') === text;
}

function chunkOf(type: string, data: Buffer): Buffer {
  const chunk = Buffer.concat([Buffer.alloc(4), Buffer.from(type, 'latin1'), data, Buffer.alloc(4)]);
  chunk.writeUInt32BE(data.length, 0);
  chunk.writeUInt32BE(crc32(chunk.subarray(4, -4)), chunk.length - 4);
  return chunk;
}

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  return crc;
});

/** zlib has it too, but not in every Node 20. */
function crc32(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) crc = (crc >>> 8) ^ (CRC_TABLE[(crc ^ byte) & 0xff] ?? 0);
  return (crc ^ 0xffffffff) >>> 0;
}

function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function broken(place: string, problem: string): SlothfulError {
  return new SlothfulError('bad-input', place, problem, 'give a PNG file that is whole');
}
