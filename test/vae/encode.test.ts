import * as tf from '@tensorflow/tfjs-core';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Values } from '../../src/sampling/index.ts';
import { type AutoencoderHalf, encodeImage, encodeLatents, sampleLatents } from '../../src/vae/index.ts';
import { useBackend } from '../support/backend.ts';
import { failsWith } from '../support/errors.ts';
import { pseudoRandom } from '../support/numbers.ts';
import type { PipelineName } from '../support/pipeline-goldens.ts';
import { checkValuesAgainst, eachBackend, fakeHalf, goldenImage, goldenValues } from './support.ts';

const test = suite('encoding');

const ENCODED: Readonly<Record<PipelineName, { readonly scaling: number; readonly sizes: readonly string[] }>> = {
  sd15: { scaling: 0.18215, sizes: ['64x64', '72x104', '50x37'] },
  sdxl: { scaling: 0.13025, sizes: ['56x80'] },
};

for (const name of ['sd15', 'sdxl'] as const) {
  const { scaling, sizes } = ENCODED[name];

  test(`${name}: what diffusers encodes and draws, on every backend`, async () => {
    await eachBackend(name, 'encoder', async (encoder) => {
      for (const size of sizes) {
        const image = goldenImage('vae', `${name}.encode.${size}.image`);
        const noise = goldenValues('vae', `${name}.encode.${size}.noise`).data;
        const moments = await encodeImage(encoder, image);
        checkValuesAgainst(moments.mean, 'vae', `${name}.encode.${size}.mean`);
        checkValuesAgainst(moments.logvar, 'vae', `${name}.encode.${size}.logvar`);
        const latents = await encodeLatents(encoder, image, noise);
        checkValuesAgainst(latents, 'vae', `${name}.encode.${size}.sample`);
        assert.equal(latents.data, sampleLatents(moments, noise, scaling));
      }
    });
  });
}

test('in tiles: what diffusers encodes, on every backend', async () => {
  await eachBackend('sd15', 'encoder', async (encoder) => {
    const image = goldenImage('vae', 'sd15.tiled_encode.96x136.image');
    const tiles: number[] = [];
    const options = { tiling: { tile: 8 }, onTile: ({ total }: { total: number }) => tiles.push(total) };
    const { mean, logvar } = await encodeImage(encoder, image, options);
    checkValuesAgainst(mean, 'vae', 'sd15.tiled_encode.96x136.mean');
    checkValuesAgainst(logvar, 'vae', 'sd15.tiled_encode.96x136.logvar');
    assert.equal(tiles, [6, 6, 6, 6, 6, 6]);
  });
});

test('TAESD: what diffusers encodes, without noise, on every backend', async () => {
  await eachBackend('taesd', 'encoder', async (encoder) => {
    for (const size of ['64x48', '40x72']) {
      const image = goldenImage('taesd', `taesd.encode.${size}.image`);
      const latents = await encodeLatents(encoder, image, new Float32Array(0));
      checkValuesAgainst(latents, 'taesd', `taesd.encode.${size}.latents`);
    }
  });
});

test('edges that 8 does not divide: a VAE rounds down, a TAESD up, in tiles too', async () => {
  const image = { shape: [1, 20, 33, 3], data: pseudoRandom(20 * 33 * 3) };
  for (const [name, height, width] of [
    ['sd15', 2, 4],
    ['taesd', 3, 5],
  ] as const) {
    await eachBackend(name, 'encoder', async (encoder) => {
      const noise = new Float32Array(height * width * 4);
      for (const tiling of [undefined, { tile: 2, overlap: 0.5 }]) {
        const { shape } = await encodeLatents(encoder, image, noise, { tiling });
        assert.equal(shape, [1, height, width, 4], `${name}, ${tiling ? 'tiled' : 'whole'}`);
      }
    });
  }
});

/** Moments at every eighth pixel: 4 times the red one, then 4 times 100 of it. */
function sampled(image: tf.Tensor): tf.Tensor {
  const [, height = 0, width = 0] = image.shape;
  const red = tf.slice(image, [0, 0, 0, 0], [1, height, width, 1]);
  const eighth = tf.stridedSlice(red, [0, 0, 0, 0], [1, height, width, 1], [1, 8, 8, 1]);
  return tf.concat([tf.tile(eighth, [1, 1, 1, 4]), tf.tile(tf.mul(eighth, 100), [1, 1, 1, 4])], 3);
}

test('the logarithm of the variance is clamped after tiles were blended', async () => {
  await useBackend('cpu');
  const image = { shape: [2, 8, 32, 3], data: new Float32Array(2 * 8 * 32 * 3) };
  // Red of every eighth column: 1, 0.125, -1, 0.
  for (const [index, value] of [1, 0.125, -1, 0].entries()) image.data[index * 24] = value;
  const { mean, logvar } = await encodeImage(fakeHalf('vae_encoder', sampled), image, {
    tiling: { tile: 2, overlap: 0.5 },
  });
  const channel = ({ data }: Values) => [...data].filter((_, index) => index % 4 === 0);
  assert.equal(channel(mean), [1, 0.125, -1, 0, 0, 0, 0, 0]);
  assert.equal(channel(logvar), [20, 12.5, -30, 0, 0, 0, 0, 0]);
});

test('latents are drawn: (mean + exp(logvar / 2) noise) scale', () => {
  const values = (...data: number[]): Values => ({ shape: [1, 1, 2, 1], data: Float32Array.from(data) });
  const moments = { mean: values(1, -2), logvar: values(0, 2 * Math.log(3)) };
  const drawn = sampleLatents(moments, Float32Array.of(0.5, 1), 0.5);
  assert.equal([...drawn], [0.75, 0.5]);
});

const IMAGE: Values = { shape: [1, 8, 16, 3], data: pseudoRandom(384) };
const NOISE = new Float32Array(8);
const HALF = fakeHalf('vae_encoder', sampled);

type Refused = readonly [
  what: string,
  code: 'bad-input' | 'bad-model' | 'bad-parameter',
  message: RegExp,
  run: () => Promise<unknown>,
];

const latentsOf =
  (encoder: AutoencoderHalf, image: Values = IMAGE, noise = NOISE) =>
  () =>
    encodeLatents(encoder, image, noise);

const REFUSED: readonly Refused[] = [
  [
    'noise of another size',
    'bad-input',
    /^noise: has 7 values, and the latents \[1,1,2,4\] have 8$/,
    latentsOf(HALF, IMAGE, new Float32Array(7)),
  ],
  [
    'a decoder',
    'bad-input',
    /is a vae_decoder, and a VAE's encoder is needed/,
    latentsOf(fakeHalf('vae_decoder', sampled)),
  ],
  [
    "a TAESD's distribution",
    'bad-input',
    /^fake: is a taesd_encoder, which gives latents and no distribution of them; give the model folder vae_encoder$/,
    () => encodeImage(fakeHalf('taesd_encoder', sampled), IMAGE),
  ],
  [
    'an image of four channels',
    'bad-input',
    /must be \[B, H, W, 3\].*got \[1,8,12,4\]/,
    latentsOf(HALF, { ...IMAGE, shape: [1, 8, 12, 4] }),
  ],
  [
    'an image below 8 pixels',
    'bad-input',
    /at least 8 pixels an edge, got \[1,4,32,3\]/,
    latentsOf(HALF, { ...IMAGE, shape: [1, 4, 32, 3] }),
  ],
  ['no image', 'bad-input', /got \[0,8,16,3\]/, latentsOf(HALF, { shape: [0, 8, 16, 3], data: new Float32Array(0) })],
  ['too many values', 'bad-input', /image: has 384 values/, latentsOf(HALF, { ...IMAGE, shape: [1, 8, 8, 3] })],
  [
    'an answer of NaN',
    'bad-model',
    /it answered NaN/,
    latentsOf(fakeHalf('vae_encoder', (x) => tf.mul(sampled(x), Number.NaN))),
  ],
  [
    'latents for moments',
    'bad-model',
    /its output is \[1,8,16,3\], and \[1,1,2,8\]/,
    latentsOf(fakeHalf('vae_encoder', tf.clone)),
  ],
  [
    'a tiling that cannot be',
    'bad-parameter',
    /tiles of 3 latent pixels with an overlap of 0\.5/,
    () => encodeImage(HALF, IMAGE, { tiling: { tile: 3, overlap: 0.5 } }),
  ],
];

for (const [what, code, message, run] of REFUSED) {
  test(`${what}: refused in one line, no tensor left`, async () => {
    await useBackend('cpu');
    const before = tf.memory().numTensors;
    await failsWith(code, message, run);
    assert.is(tf.memory().numTensors, before);
  });
}

test('the signal stops it', async () => {
  await useBackend('cpu');
  const signal = AbortSignal.abort();
  await failsWith('aborted', /^encode: stopped after 0 of 1 tiles$/, () => encodeImage(HALF, IMAGE, { signal }));
});

test.run();
