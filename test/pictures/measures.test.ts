import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import {
  gradientSimilarity,
  highFrequencyRatio,
  latentImage,
  measure,
  type Plane,
  pictureImage,
  psnr,
  ssim,
} from '../../src/pictures/measures/index.ts';

const test = suite('measures');

/** An image of waves in three channels. */
function waves(width: number, height: number, phase: number): Plane[] {
  return [0, 1, 2].map((channel) => {
    const data = Float32Array.from({ length: width * height }, (_, index) => {
      const [x, y] = [index % width, Math.floor(index / width)];
      return 0.5 + 0.4 * Math.sin(0.9 * x + 1.3 * y * phase + channel) * Math.cos(0.31 * x * y + phase);
    });
    return { width, height, data };
  });
}

/** Of waves of phase 1 and 1.1: PSNR and SSIM by scikit-image 0.2x, the others by scipy's filters. */
const GOLDENS: readonly (readonly [width: number, height: number, ...expected: readonly number[]])[] = [
  [24, 20, 12.138615710713358, 0.2552445240082879, 0.9873093261572802, 0.8346175414609802],
  [33, 12, 15.46865503991624, 0.6727257096297362, 0.9808305004720531, 0.8530478242656375],
  [5, 3, 28.17851924660235, 0.95588610335221, 0.9777189374967128, 0.9594520578866446],
];

for (const [width, height, ...expected] of GOLDENS) {
  test(`${width}x${height}: as scikit-image and scipy measure`, () => {
    const found = measure(waves(width, height, 1), waves(width, height, 1.1), 1);
    const values = [found.psnr, found.ssim, found.high_frequency_ratio, found.gradient_similarity];
    for (const [index, value] of values.entries()) {
      const wanted = expected[index] ?? Number.NaN;
      assert.ok(Math.abs((value ?? Number.NaN) - wanted) < 1e-4, `${value} for ${wanted}`);
    }
  });
}

test('an image against itself', () => {
  const image = waves(9, 7, 1);
  const { psnr: ratio, ...others } = measure(image, waves(9, 7, 1));
  assert.is(ratio, null);
  for (const value of Object.values(others)) assert.ok(Math.abs((value ?? 0) - 1) < 1e-6, String(value));
});

test('the range of the values does not matter when it is told', () => {
  const scaled = (factor: number, phase: number) =>
    waves(16, 16, phase).map((plane) => ({ ...plane, data: plane.data.map((value) => value * factor) }));
  const [small, large] = [1, 8].map((factor) => measure(scaled(factor, 1), scaled(factor, 1.1), factor));
  assert.ok(small && large);
  assert.ok(Math.abs((small.psnr ?? 0) - (large.psnr ?? 0)) < 1e-3);
  assert.ok(Math.abs(small.ssim - large.ssim) < 1e-4);
  assert.ok(Math.abs(small.gradient_similarity - large.gradient_similarity) < 1e-4);
});

test('a flat image has no detail: none against none is 1, some against none is not known', () => {
  const flat = (value: number): Plane[] => [{ width: 6, height: 6, data: new Float32Array(36).fill(value) }];
  assert.is(highFrequencyRatio(flat(0.3), flat(0.9)), 1);
  assert.is(highFrequencyRatio(flat(0.3), waves(6, 6, 1).slice(0, 1)), null);
  assert.is(highFrequencyRatio(waves(6, 6, 1).slice(0, 1), flat(0.3)), 0);
});

test('smoothing lowers the detail, and noise raises it', () => {
  const image = waves(16, 16, 1);
  const rough = image.map((plane) => ({ ...plane, data: plane.data.map((v, i) => v + (i % 2 ? 0.2 : -0.2)) }));
  const smooth = image.map((plane) => ({ ...plane, data: plane.data.map((v) => 0.5 + (v - 0.5) / 2) }));
  assert.ok((highFrequencyRatio(image, rough) ?? 0) > 1.1);
  assert.ok(Math.abs((highFrequencyRatio(image, smooth) ?? 0) - 0.25) < 1e-4);
});

test('pictures and latents become channels', () => {
  const [red, green, blue, ...more] = pictureImage({
    width: 2,
    height: 1,
    rgba: Uint8ClampedArray.from([255, 0, 51, 255, 0, 255, 102, 255]),
  });
  assert.is(more.length, 0);
  assert.equal([...(red?.data ?? [])], [1, 0]);
  assert.equal([...(green?.data ?? [])], [0, 1]);
  assert.equal(blue?.data, Float32Array.from([0.2, 0.4]));
  const channels = latentImage(Float32Array.from([1, 2, 3, 4, 5, 6, 7, 8]), 1, 2);
  assert.equal(
    channels.map(({ data }) => [...data]),
    [
      [1, 5],
      [2, 6],
      [3, 7],
      [4, 8],
    ],
  );
});

test('images of two sizes are refused', () => {
  for (const compare of [psnr, ssim, gradientSimilarity, highFrequencyRatio]) {
    assert.throws(() => compare(waves(4, 4, 1), waves(4, 5, 1), 1), /4x4 in 3 channels and 4x5 in 3 channels/);
  }
});

test.run();
