import { readdirSync, readFileSync } from 'node:fs';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { decodePicture, decodePng, encodePng } from '../../src/pictures/node.ts';
import { failsWith } from '../support/errors.ts';
import { fixturePath } from '../support/fixtures.ts';
import { largestDifference } from '../support/numbers.ts';

const test = suite('pictures of any format');

const FOLDER = fixturePath('pictures');
const bytesOf = (name: string) => readFileSync(`${FOLDER}/${name}`);
const NAMES = readdirSync(FOLDER).filter((name) => !/\.png$|\.md$/.test(name));

/** Decoders of JPEG may round otherwise. Ours knows the colours of print, Pillow only what is left of white. */
const MOST = 3;
const MEAN = 30;

for (const name of NAMES) {
  test(`${name} is what Pillow reads in it, whatever it is called`, async () => {
    const expected = decodePng(bytesOf(`${name}.png`), name);
    const { rgba, ...size } = await decodePicture(bytesOf(name), 'called.png');
    assert.equal(size, { width: expected.width, height: expected.height });
    const isPrint = name.startsWith('cmyk');
    const largest = largestDifference(Float32Array.from(rgba), Float32Array.from(expected.rgba));
    const mean = rgba.reduce((sum, value, at) => sum + Math.abs(value - (expected.rgba[at] ?? 0)), 0) / rgba.length;
    assert.ok(isPrint ? mean <= MEAN : largest <= MOST, `differs by ${largest}, ${mean} in the mean`);
  });
}

test('a PNG is read by our own reader, without sharp', async () => {
  const picture = { width: 2, height: 1, rgba: Uint8ClampedArray.of(1, 2, 3, 4, 5, 6, 7, 255) };
  const never = () => Promise.reject(new Error('asked for'));
  assert.equal(await decodePicture(encodePng(picture), 'a.jpg', never), picture);
});

test('without sharp one line says what to do', async () => {
  const missing = () => Promise.reject(new Error("Cannot find package 'sharp'"));
  const said =
    /^a\.jpg: is a JPEG picture, which the package sharp reads, and that cannot be loaded \(Cannot find package 'sharp'\); run npm install sharp, or save it as PNG$/;
  await failsWith('unsupported', said, () => decodePicture(bytesOf('plain.jpg'), 'a.jpg', missing));
});

const text = (content: string) => new TextEncoder().encode(content);
const iso = (brand: string) => text(`\0\0\0\x18ftyp${brand}\0\0\0\0`);

const REFUSED: ReadonlyArray<readonly [what: string, bytes: Uint8Array, says: RegExp]> = [
  ['nothing', new Uint8Array(), /^p: is empty/],
  ['a web page', text('\n<!DOCTYPE html><html>'), /^p: is a web page, not the file; /],
  ['a pointer', text('version https://git-lfs.github.com/spec/v1\noid'), /^p: is a Git LFS pointer.*git lfs pull/],
  ['weights', Uint8Array.of(0x60, 1, 0, 0, 0, 0, 0, 0, 0x7b, 0x22), /^p: is a safetensors file; give a picture$/],
  ['JSON', text('{"error": "no"}'), /^p: is a server's answer, not the file: .*; give a picture$/],
  ['a photograph of a telephone', iso('heic'), /^p: is a HEIC picture; save it as PNG, JPEG or WebP$/],
  ['a drawing', text('<?xml version="1.0"?><svg xmlns="x"/>'), /^p: is an SVG picture/],
  ['a text', text('hello'), /^p: is no picture that is known here; give a PNG, JPEG or WebP file$/],
  [
    'half a JPEG',
    bytesOf('plain.jpg').subarray(0, 400),
    /^p: is a JPEG picture that cannot be read \([^\n]+\); download/,
  ],
  ['most of a JPEG', bytesOf('plain.jpg').subarray(0, -30), /^p: is a JPEG picture that cannot be read/],
  ['half a WebP', bytesOf('plain.webp').subarray(0, 40), /^p: is a WebP picture that cannot be read/],
  [
    'a JPEG that claims a wall',
    claiming(bytesOf('plain.jpg'), 60000, 60000),
    /^p: claims 60000 x 60000 pixels, and at most/,
  ],
];

/** A JPEG whose frame header says another size. */
function claiming(jpeg: Uint8Array, width: number, height: number): Uint8Array {
  const bytes = Uint8Array.from(jpeg);
  const frame = bytes.findIndex((byte, index) => byte === 0xff && bytes[index + 1] === 0xc0);
  new DataView(bytes.buffer).setUint16(frame + 5, height);
  new DataView(bytes.buffer).setUint16(frame + 7, width);
  return bytes;
}

for (const [what, bytes, says] of REFUSED) {
  test(`${what} is called what it is`, () => failsWith('bad-input', says, () => decodePicture(bytes, 'p')));
}

test.run();
