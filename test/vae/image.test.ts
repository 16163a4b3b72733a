import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Picture, Values } from '../../src/sampling/index.ts';
import { imagesOfPictures, picturesOfImages } from '../../src/vae/index.ts';
import { failsWith } from '../support/errors.ts';

const test = suite('images and pictures');

const BYTES: ReadonlyArray<readonly [what: string, value: number, byte: number]> = [
  ['black', -1, 0],
  ['white', 1, 255],
  ['below black', -1.7, 0],
  ['above white', 30, 255],
  ['127.5 of 255, to even 128', 0, 128],
  // In float32, as the reference computes: 255 (x / 2 + 0.5) is 100.5.
  ['100.5 of 255, to even 100', -0.21176467835903168, 100],
  ['just above 2.5 of 255', 2 * (2.5001 / 255) - 1, 3],
  ['just below 1.5 of 255', 2 * (1.4999 / 255) - 1, 1],
];

for (const [what, value, byte] of BYTES) {
  test(`${what}: ${value} is the byte ${byte}`, () => {
    const [picture] = picturesOfImages({ shape: [1, 1, 1, 3], data: Float32Array.of(value, -1, 1) });
    assert.equal([...(picture?.rgba ?? [])], [byte, 0, 255, 255]);
  });
}

test('a batch is one opaque picture an image, rows from the top', () => {
  const image = { shape: [2, 1, 2, 3], data: Float32Array.from([1, -1, -1, -1, 1, -1, -1, -1, 1, 1, 1, 1]) };
  const pictures = picturesOfImages(image);
  assert.equal(
    pictures.map(({ width, height, rgba }) => [width, height, [...rgba]]),
    [
      [2, 1, [255, 0, 0, 255, 0, 255, 0, 255]],
      [2, 1, [0, 0, 255, 255, 255, 255, 255, 255]],
    ],
  );
  assert.equal(imagesOfPictures(pictures), image);
});

test('every byte comes back', () => {
  const rgba = Uint8ClampedArray.from({ length: 4 * 256 }, (_, index) =>
    index % 4 === 3 ? 255 : Math.floor(index / 4),
  );
  const [back] = picturesOfImages(imagesOfPictures([{ width: 32, height: 8, rgba }]));
  assert.equal(back, { width: 32, height: 8, rgba });
});

test('what is transparent is over black', () => {
  const rgba = Uint8ClampedArray.of(255, 255, 255, 0, 255, 0, 51, 51);
  const { shape, data } = imagesOfPictures([{ width: 2, height: 1, rgba }]);
  assert.equal(shape, [1, 1, 2, 3]);
  assert.equal([...data], [-1, -1, -1, -0.6, -1, -0.92].map(Math.fround));
});

for (const [what, image] of [
  ['one channel', { shape: [1, 2, 2, 1], data: new Float32Array(4) }],
  ['three dimensions', { shape: [2, 2, 3], data: new Float32Array(12) }],
  ['too few values', { shape: [1, 2, 2, 3], data: new Float32Array(11) }],
] satisfies ReadonlyArray<readonly [string, Values]>) {
  test(`refuses images of ${what}`, () =>
    failsWith('bad-input', /^image: must be \[B, H, W, 3\], got/, () => picturesOfImages(image)));
}

const ONE: Picture = { width: 1, height: 1, rgba: new Uint8ClampedArray(4) };

for (const [what, pictures, message] of [
  ['no pictures', [], /^pictures: there is none$/],
  ['two sizes', [ONE, { width: 2, height: 1, rgba: new Uint8ClampedArray(8) }], /2x1: the first is 1x1; make them the/],
  ['bytes of another size', [{ ...ONE, width: 2 }], /2x1: has 4 bytes, and 8 are needed/],
  ['an empty picture', [{ width: 0, height: 0, rgba: new Uint8ClampedArray(0) }], /has 0 bytes/],
] satisfies ReadonlyArray<readonly [string, readonly Picture[], RegExp]>) {
  test(`refuses ${what}`, () => failsWith('bad-input', message, () => imagesOfPictures(pictures)));
}

test.run();
