import { deflateSync } from 'node:zlib';
import fc from 'fast-check';
import { HOSTILE_TEXTS } from '../hostile.ts';

/** A chunk of a PNG file. Its length and its CRC are made when it is written. */
export interface PngChunk {
  readonly type: string;
  readonly data: Uint8Array;
}

const SIGNATURE = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];
const TYPES = ['IHDR', 'PLTE', 'IDAT', 'IEND', 'tRNS', 'tEXt', 'zTXt', 'iTXt', 'gAMA', '\0\0\0\0'] as const;
const KEYWORDS = ['parameters', 'prompt', 'workflow', ''] as const;

/** What is done to one chunk; the others stay, and all lengths and CRCs are right. */
export type PngChange = { readonly pick: number } & (
  | { readonly does: 'drop' }
  | { readonly does: 'double'; readonly times: number }
  | { readonly does: 'type'; readonly type: string }
  | { readonly does: 'byte'; readonly at: number; readonly byte: number }
  | { readonly does: 'size'; readonly side: number; readonly size: number }
  | { readonly does: 'text'; readonly keyword: string; readonly text: string; readonly type: string }
  | { readonly does: 'bomb'; readonly megabytes: number; readonly type: string }
);

const pick = fc.nat();
const of = <T extends PngChange['does']>(does: T) => fc.constant(does);
const type = fc.constantFrom('tEXt', 'zTXt', 'iTXt', 'IDAT');

export const PNG_CHANGE: fc.Arbitrary<PngChange> = fc.oneof(
  fc.record({ does: of('drop'), pick }),
  fc.record({ does: of('double'), pick, times: fc.constantFrom(1, 2, 1000) }),
  fc.record({ does: of('type'), pick, type: fc.constantFrom(...TYPES) }),
  fc.record({ does: of('byte'), pick, at: fc.nat(40), byte: fc.nat(255) }),
  fc.record({
    does: of('size'),
    pick,
    side: fc.nat(1),
    size: fc.constantFrom(0, 1, 3, 4096, 30_000, 0x7fff_ffff, 0xffff_ffff),
  }),
  fc.record({
    does: of('text'),
    pick,
    type,
    keyword: fc.constantFrom(...KEYWORDS),
    text: fc.array(fc.constantFrom(...HOSTILE_TEXTS), { maxLength: 6 }).map((parts) => parts.join('')),
  }),
  fc.record({ does: of('bomb'), pick, type, megabytes: fc.constantFrom(1, 17, 40) }),
);

/** The chunks with a change. */
export function changePng(chunks: readonly PngChunk[], change: PngChange): PngChunk[] {
  const index = change.pick % Math.max(1, chunks.length);
  const chunk = chunks[index];
  if (!chunk) return [...chunks];
  switch (change.does) {
    case 'drop':
      return chunks.toSpliced(index, 1);
    case 'double':
      return chunks.toSpliced(index, 0, ...Array<PngChunk>(change.times).fill(chunk));
    case 'text':
      return chunks.toSpliced(1, 0, textChunk(change.type, change.keyword, Buffer.from(change.text)));
    case 'bomb':
      return chunks.toSpliced(1, 0, textChunk(change.type, 'parameters', Buffer.alloc(change.megabytes * 2 ** 20)));
    default:
      return chunks.with(index, changedChunk(chunk, change));
  }
}

function changedChunk(chunk: PngChunk, change: PngChange): PngChunk {
  const data = Buffer.from(chunk.data);
  if (change.does === 'type') return { ...chunk, type: change.type };
  if (change.does === 'byte' && data.length) data[change.at % data.length] = change.byte;
  if (change.does === 'size' && data.length >= 8) data.writeUInt32BE(change.size, 4 * change.side);
  return { ...chunk, data };
}

/** A text in any of the three ways in which a PNG has one; as pixels it is just compressed. */
function textChunk(type: string, keyword: string, text: Uint8Array): PngChunk {
  const packed = type === 'tEXt' ? text : deflateSync(text, { level: 1 });
  const heads = { tEXt: `${keyword}\0`, zTXt: `${keyword}\0\0`, iTXt: `${keyword}\0\u0001\0\0\0` };
  const head = type === 'tEXt' || type === 'zTXt' || type === 'iTXt' ? heads[type] : '';
  return { type, data: Buffer.concat([Buffer.from(head, 'latin1'), packed]) };
}

/** The bytes of a file of these chunks. */
export function encodePngChunks(chunks: readonly PngChunk[]): Uint8Array {
  return Buffer.concat([
    Uint8Array.from(SIGNATURE),
    ...chunks.flatMap(({ type: name, data }) => {
      const body = Buffer.concat([Buffer.from(name, 'latin1'), data]);
      return [bigEndian(data.length), body, bigEndian(crc32(body))];
    }),
  ]);
}

/** The chunks of a PNG that is whole. */
export function pngChunks(file: Uint8Array): PngChunk[] {
  const bytes = Buffer.from(file.buffer, file.byteOffset, file.byteLength);
  const chunks: PngChunk[] = [];
  for (let at = SIGNATURE.length; at < bytes.length; ) {
    const end = at + 8 + bytes.readUInt32BE(at);
    chunks.push({ type: bytes.toString('latin1', at + 4, at + 8), data: bytes.subarray(at + 8, end) });
    at = end + 4;
  }
  return chunks;
}

function bigEndian(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  return crc;
});

/** Not that of the toolkit, which is on trial here. */
function crc32(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) crc = (crc >>> 8) ^ (CRC_TABLE[(crc ^ byte) & 0xff] ?? 0);
  return (crc ^ 0xffffffff) >>> 0;
}
