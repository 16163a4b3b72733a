import { deflateSync } from 'node:zlib';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { decodePng, encodePng, readPngText, withPngText } from '../../src/pictures/node.ts';
import type { Picture } from '../../src/sampling/index.ts';
import { failsWith } from '../support/errors.ts';

const test = suite("texts in PNG's chunks");

const PICTURE: Picture = { width: 2, height: 1, rgba: Uint8ClampedArray.from([1, 2, 3, 255, 4, 5, 6, 128]) };
const PLAIN = encodePng(PICTURE);
const MEBIBYTE = 2 ** 20;

/** Bit by bit, unlike the toolkit's. */
function crcOf(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (0xedb88320 & -(crc & 1));
  }
  return ~crc >>> 0;
}

type Part = string | Uint8Array | readonly number[];

function bytesOf(...parts: readonly Part[]): Buffer {
  return Buffer.concat(
    parts.map((part) => (typeof part === 'string' ? Buffer.from(part, 'latin1') : Uint8Array.from(part))),
  );
}

function chunk(type: string, ...parts: readonly Part[]): Buffer {
  const data = bytesOf(...parts);
  const made = bytesOf([0, 0, 0, 0], type, data, [0, 0, 0, 0]);
  made.writeUInt32BE(data.length, 0);
  made.writeUInt32BE(crcOf(made.subarray(4, -4)), made.length - 4);
  return made;
}

/** Behind the signature and IHDR. */
const INSIDE = 8 + 25;

function withChunks(...chunks: readonly Uint8Array[]): Buffer {
  return Buffer.concat([PLAIN.subarray(0, INSIDE), ...chunks, PLAIN.subarray(INSIDE)]);
}

function typesOf(png: Uint8Array): string[] {
  const file = Buffer.from(png);
  const types: string[] = [];
  for (let at = 8; at < file.length; at += 12 + file.readUInt32BE(at))
    types.push(file.toString('latin1', at + 4, at + 8));
  return types;
}

const TEXTS: readonly (readonly [what: string, key: string, text: string, type: string])[] = [
  ['ASCII', 'parameters', 'a sloth\nNegative prompt: cat\nSteps: 20', 'tEXt'],
  ['Latin-1', 'Beschreibung für Ü', 'ein Faultier ÿ ¿ \u0080', 'tEXt'],
  ['nothing', 'Comment', '', 'tEXt'],
  ['an emoji', 'parameters', 'a 🦥, 日本語', 'iTXt'],
  ['a mark of byte order', 'parameters', '\ufeffa sloth', 'iTXt'],
  ['one letter beyond Latin-1', 'parameters', 'Ā', 'iTXt'],
  ['a NUL', 'parameters', 'a\0sloth', 'iTXt'],
  ['the longest keyword', 'k'.repeat(79), 'a sloth', 'tEXt'],
  ['a text of a mebibyte', 'parameters', 'sloth '.repeat(MEBIBYTE / 6), 'tEXt'],
];
for (const [what, key, text, type] of TEXTS) {
  test(`${what}: written as ${type}, and read back`, () => {
    const png = withPngText(PLAIN, { [key]: text });
    assert.equal(typesOf(png), ['IHDR', type, 'IDAT', 'IEND']);
    assert.equal([...readPngText(png, 'a.png')], [[key, text]]);
    assert.equal(decodePng(png, 'a.png'), PICTURE);
  });
}

test('several texts, a view into a larger buffer, and a second text of one keyword, which counts', () => {
  const twice = withPngText(withPngText(PLAIN, { one: 'a', two: 'b' }), { one: 'c' });
  assert.equal(typesOf(twice), ['IHDR', 'tEXt', 'tEXt', 'tEXt', 'IDAT', 'IEND']);
  const moved = new Uint8Array(twice.length + 9);
  moved.set(twice, 5);
  const view = moved.subarray(5, 5 + twice.length);
  assert.equal(Object.fromEntries(readPngText(view, 'a.png')), { one: 'c', two: 'b' });
  assert.equal(Buffer.from(withPngText(view, {})), Buffer.from(twice));
  assert.is(readPngText(PLAIN, 'a.png').size, 0);
});

test('the bytes are those of the specification', () => {
  const png = Buffer.from(withPngText(PLAIN, { Title: 'Sloth' }));
  const written = png.subarray(INSIDE, INSIDE + 12 + 11);
  assert.equal(written, chunk('tEXt', 'Title\0Sloth'));
  assert.is(written.toString('hex', 0, 8), '0000000b74455874');
  // The CRC that every PNG ends with.
  assert.is(crcOf(Buffer.from('IEND')), 0xae426082);
});

const utf8 = (text: string) => Buffer.from(text, 'utf8');
const READ: readonly (readonly [what: string, png: Uint8Array, text: string | undefined])[] = [
  ['tEXt of Latin-1', withChunks(chunk('tEXt', 'key\0', [0xe9, 0x80])), 'é\u0080'],
  ['tEXt with a NUL in its text', withChunks(chunk('tEXt', 'key\0a\0b')), 'a\0b'],
  ['zTXt', withChunks(chunk('zTXt', 'key\0\0', deflateSync(bytesOf('caf', [0xe9])))), 'café'],
  ['iTXt', withChunks(chunk('iTXt', 'key\0\0\0de\0', utf8('Schlüssel'), '\0', utf8('🦥'))), '🦥'],
  ['iTXt, compressed', withChunks(chunk('iTXt', 'key\0\x01\0\0\0', deflateSync(utf8('a 🦥')))), 'a 🦥'],
  [
    'behind the pixels',
    Buffer.concat([PLAIN.subarray(0, -12), chunk('tEXt', 'key\0late'), PLAIN.subarray(-12)]),
    'late',
  ],
  ['beside chunks that nobody knows', withChunks(chunk('slTh', [1, 2]), chunk('tEXt', 'key\0a'), chunk('zzZz')), 'a'],
  ['beside an unknown chunk with a wrong CRC', withChunks(withWrongCrc(chunk('slTh')), chunk('tEXt', 'key\0a')), 'a'],
  ['in the case of another chunk', withChunks(chunk('TEXT', 'key\0a'), chunk('text', 'key\0a')), undefined],
  ['behind the end', Buffer.concat([PLAIN, chunk('tEXt', 'key\0a')]), undefined],
  [
    'zTXt of almost too much',
    withChunks(chunk('zTXt', 'key\0\0', deflateSync(Buffer.alloc(16 * MEBIBYTE)))),
    '\0'.repeat(16 * MEBIBYTE),
  ],
];
for (const [what, png, text] of READ) {
  test(`reads: ${what}`, () => assert.ok(readPngText(png, 'a.png').get('key') === text));
}

function withWrongCrc(made: Buffer): Buffer {
  made.writeUInt32BE((made.readUInt32BE(made.length - 4) ^ 1) >>> 0, made.length - 4);
  return made;
}

function withLength(made: Buffer, length: number): Buffer {
  made.writeUInt32BE(length, 0);
  return made;
}

const bomb = (size: number) => deflateSync(Buffer.alloc(size));
const BROKEN: readonly (readonly [what: string, bytes: Uint8Array, message: RegExp])[] = [
  ['nothing', new Uint8Array(), /^a\.png: is not a PNG; give a PNG file that is whole$/],
  ['a JPEG', Uint8Array.of(0xff, 0xd8, 0xff, 0xe0, 0, 16, 0x4a, 0x46), /^a\.png: is not a PNG;/],
  ['a PNG that was read as text', utf8(Buffer.from(PLAIN).toString('latin1')), /is not a PNG;/],
  ['a signature alone', PLAIN.subarray(0, 8), /^a\.png: is cut off in its chunk at byte 8;/],
  ['half an IHDR', PLAIN.subarray(0, 20), /cut off in its chunk at byte 8;/],
  ['no IHDR', Buffer.concat([PLAIN.subarray(0, 8), PLAIN.subarray(INSIDE)]), /it begins with no IHDR/],
  ['no IEND', PLAIN.subarray(0, -12), /cut off/],
  ['an end without its CRC', PLAIN.subarray(0, -1), /cut off/],
  [
    'a length of more than the file',
    withChunks(withLength(chunk('tEXt', 'key\0a'), 0xffffffff)),
    /cut off in its chunk at byte 33/,
  ],
  ['a length of one byte too many', withLength(chunk('IEND'), 1), /not a PNG/],
  [
    'a wrong CRC',
    withChunks(withWrongCrc(chunk('tEXt', 'key\0a'))),
    /^a\.png tEXt at byte 33: does not match its CRC;/,
  ],
  ['a keyword without end', withChunks(chunk('tEXt', 'key')), /tEXt at byte 33: ends before its text begins/],
  ['an empty tEXt', withChunks(chunk('tEXt')), /ends before its text/],
  ['an empty zTXt', withChunks(chunk('zTXt', 'key\0')), /compression method none, not 0/],
  ['an unknown compression', withChunks(chunk('zTXt', 'key\0\x07abc')), /compression method 7, not 0/],
  ['an unknown compression in iTXt', withChunks(chunk('iTXt', 'key\0\x01\x02\0\0abc')), /compression method 2, not 0/],
  ['no zlib', withChunks(chunk('zTXt', 'key\0\0abc')), /zTXt at byte 33: cannot be inflated \(.+\)/],
  ['half of a zlib', withChunks(chunk('zTXt', 'key\0\0', bomb(999).subarray(0, 12))), /cannot be inflated/],
  ['a bomb', withChunks(chunk('zTXt', 'key\0\0', bomb(16 * MEBIBYTE + 1))), /inflates to more than the 16777216 bytes/],
  ['a bomb in iTXt', withChunks(chunk('iTXt', 'key\0\x01\0\0\0', bomb(17 * MEBIBYTE))), /inflates to more/],
  [
    'a bomb in parts',
    withChunks(...[1, 2].map(() => chunk('zTXt', 'key\0\0', bomb(9 * MEBIBYTE)))),
    /inflates to more/,
  ],
  ['an iTXt of a keyword', withChunks(chunk('iTXt', 'key\0')), /does not say whether it is compressed/],
  ['an iTXt without its language', withChunks(chunk('iTXt', 'key\0\0\0')), /ends before its text/],
  ['an iTXt without its other keyword', withChunks(chunk('iTXt', 'key\0\0\0de\0key')), /ends before its text/],
  ['an iTXt of Latin-1', withChunks(chunk('iTXt', 'key\0\0\0\0\0caf', [0xe9])), /is not UTF-8/],
];
for (const [what, bytes, message] of BROKEN) {
  test(`refuses: ${what}`, () => failsWith('bad-input', message, () => readPngText(bytes, 'a.png')));
}

test('a file that is cut off anywhere is refused, and one with any byte changed is read or refused', async () => {
  const whole = Buffer.from(withPngText(PLAIN, { parameters: 'a 🦥', Comment: 'sloth' }));
  for (let length = 0; length < whole.length; length++) {
    await failsWith('bad-input', /not a PNG|cut off/, () => readPngText(whole.subarray(0, length), 'a.png'));
  }
  for (let at = 0; at < whole.length; at++) {
    const changed = Buffer.from(whole);
    changed[at] = (changed[at] ?? 0) ^ 0xff;
    try {
      assert.instance(readPngText(changed, 'a.png'), Map);
    } catch {
      await failsWith('bad-input', /^a\.png/, () => readPngText(changed, 'a.png'));
    }
  }
});

for (const key of ['', 'k'.repeat(80), 'schlüssel 🦥', 'a\0b']) {
  test(`writes no text under ${JSON.stringify(key)}`, () =>
    failsWith('bad-input', /cannot be the keyword of a PNG; name it in 1 to 79 letters of Latin-1$/, () =>
      withPngText(PLAIN, { [key]: 'a' }),
    ));
}

test('writes into nothing but a PNG with pixels', async () => {
  await failsWith('bad-input', /^the picture: is not a PNG/, () => withPngText(Buffer.from('GIF89a'), { a: 'b' }));
  const bare = Buffer.concat([PLAIN.subarray(0, INSIDE), PLAIN.subarray(-12)]);
  await failsWith('bad-input', /without pixels/, () => withPngText(bare, { a: 'b' }));
});

test('a header that claims a wall of pixels is not decoded to see', async () => {
  const wide = Buffer.from(PLAIN);
  wide.writeUInt32BE(30_000, 16);
  wide.writeUInt32BE(30_000, 20);
  await failsWith('bad-input', /^a\.png: claims 30000 x 30000 pixels, and at most 33554432 are taken/, () =>
    decodePng(wide, 'a.png'),
  );
});

test.run();
