import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { dataSpaceOf, decodePictures } from '../../src/sampling/index.ts';

const test = suite('decode');

/** Premultiplied R, G, B, A in [-1, 1] and the bytes over white. */
const PIXELS: readonly [name: string, pixel: number[], rgba: number[]][] = [
  ['transparent is white', [-1, -1, -1, -1], [255, 255, 255, 255]],
  ['opaque black', [-1, -1, -1, 1], [0, 0, 0, 255]],
  ['opaque red', [1, -1, -1, 1], [255, 0, 0, 255]],
  ['half of red is pink', [0, -1, -1, 0], [255, 128, 128, 255]],
  ['beyond the range is clipped first', [3, -3, 0, 9], [255, 0, 128, 255]],
  ['more colour than alpha is clipped last', [1, 1, 1, -1], [255, 255, 255, 255]],
];
for (const [name, pixel, rgba] of PIXELS) {
  test(name, () => assert.equal([...(decodePictures(Float32Array.from(pixel), 1, 1)[0]?.rgba ?? [])], rgba));
}

test('a picture for every image, rows from the top', () => {
  const [first, second, ...none] = decodePictures(
    Float32Array.from({ length: 48 }, (_, i) => i / 24 - 1),
    2,
    3,
  );
  assert.equal(none, []);
  assert.is(first?.width, 3);
  assert.is(first?.height, 2);
  assert.is(first?.rgba.length, 24);
  assert.equal([...(second?.rgba.slice(0, 4) ?? [])], [239, 244, 250, 255]);
});

for (const [length, height, width] of [
  [23, 2, 3],
  [0, 2, 3],
  [24, 0, 3],
] as const) {
  test(`refuses ${length} values as ${width}x${height}`, () => {
    assert.throws(() => decodePictures(new Float32Array(length), height, width), /are not pictures of/);
  });
}

test('metadata say the data space', () => {
  assert.is(dataSpaceOf({ data_space: 'premultiplied-rgba' }, 'm'), 'premultiplied-rgba');
  assert.is(dataSpaceOf({}, 'm'), 'latent');
  assert.throws(
    () => dataSpaceOf({ data_space: 'cmyk' }, 'm'),
    /m: data_space "cmyk" is unknown; known are latent, pre/,
  );
});

test.run();
