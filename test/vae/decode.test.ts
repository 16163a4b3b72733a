import * as tf from '@tensorflow/tfjs-core';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Values } from '../../src/sampling/index.ts';
import { type AutoencoderHalf, type CodingOptions, decodeLatents, type TileProgress } from '../../src/vae/index.ts';
import { useBackend } from '../support/backend.ts';
import { failsWith } from '../support/errors.ts';
import { largestDifference, pseudoRandom } from '../support/numbers.ts';
import type { PipelineName } from '../support/pipeline-goldens.ts';
import { checkValuesAgainst, eachBackend, enlarged, fakeHalf, goldenValues } from './support.ts';

const test = suite('decoding');

const WHOLE: ReadonlyArray<readonly [PipelineName, string]> = [
  ['sd15', '8x8'],
  ['sd15', '13x9'],
  ['sd15', '1x1'],
  ['sd15', '5x12'],
  ['sdxl', '8x8'],
  ['sdxl', '13x9'],
];

/** With diffusers' tile_latent_min_size and tile_overlap_factor, and how many tiles there are. */
const TILED: ReadonlyArray<readonly [PipelineName, string, tile: number, overlap: number, tiles: number]> = [
  ['sd15', '12x19', 8, 0.25, 8],
  ['sd15', '9x17', 8, 0.25, 6],
  ['sdxl', '10x13', 6, 0.5, 20],
];

for (const name of ['sd15', 'sdxl'] as const) {
  test(`${name}: what diffusers decodes, on every backend`, async () => {
    await eachBackend(name, 'decoder', async (decoder) => {
      for (const [, size] of WHOLE.filter(([of]) => of === name)) {
        const image = await decodeLatents(decoder, goldenValues('vae', `${name}.decode.${size}.latent`));
        checkValuesAgainst(image, 'vae', `${name}.decode.${size}.sample`);
      }
    });
  });

  test(`${name} in tiles: what diffusers decodes, on every backend`, async () => {
    await eachBackend(name, 'decoder', async (decoder) => {
      for (const [, size, tile, overlap, tiles] of TILED.filter(([of]) => of === name)) {
        const told: TileProgress[] = [];
        const latents = goldenValues('vae', `${name}.tiled_decode.${size}.latent`);
        const options = { tiling: { tile, overlap }, onTile: (progress: TileProgress) => told.push(progress) };
        const image = await decodeLatents(decoder, latents, options);
        checkValuesAgainst(image, 'vae', `${name}.tiled_decode.${size}.sample`);
        assert.equal(
          told,
          Array.from({ length: tiles }, (_, index) => ({ done: index + 1, total: tiles })),
        );
      }
    });
  });
}

test('TAESD: what diffusers decodes, of latents as they are, on every backend', async () => {
  await eachBackend('taesd', 'decoder', async (decoder) => {
    for (const size of ['8x8', '5x7']) {
      const image = await decodeLatents(decoder, goldenValues('taesd', `taesd.decode.${size}.latent`));
      checkValuesAgainst(image, 'taesd', `taesd.decode.${size}.sample`);
    }
  });
});

test('a batch is decoded one image at a time, in tiles or whole', async () => {
  await useBackend('cpu');
  const decoder = fakeHalf('vae_decoder', enlarged);
  const latents = { shape: [2, 3, 5, 4], data: pseudoRandom(120) };
  const told: number[] = [];
  const onTile = ({ done, total }: TileProgress) => told.push(done, total);
  const whole = await decodeLatents(decoder, latents, { onTile });
  const tiled = await decodeLatents(decoder, latents, { onTile, tiling: { tile: 4, overlap: 0.5 } });
  assert.equal(whole.shape, [2, 24, 40, 3]);
  assert.is(whole.data[0], Math.fround(2 * (latents.data[0] ?? 0)));
  assert.is(whole.data.at(-1), Math.fround(2 * (latents.data.at(-4) ?? 0)));
  assert.equal(told.slice(0, 4), [1, 2, 2, 2]);
  assert.equal(told.slice(-2), [12, 12]);
  // All tiles say the same of a pixel, so blending changes nothing.
  assert.ok(largestDifference(tiled.data, whole.data) < 1e-6);
  const sizes = decoder.seen.map(([batch, height, width]) => `${batch}: ${height}x${width}`);
  const tiles = ['1: 3x4', '1: 3x3', '1: 3x1', '1: 1x4', '1: 1x3', '1: 1x1'];
  assert.equal(sizes, ['1: 3x5', '1: 3x5', ...tiles, ...tiles]);
});

test('the latents stay as they were', async () => {
  await useBackend('cpu');
  const latents = { shape: [1, 3, 3, 4], data: pseudoRandom(36) };
  await decodeLatents(fakeHalf('vae_decoder', enlarged), latents, { tiling: { tile: 2, overlap: 0.5 } });
  assert.equal(latents.data, pseudoRandom(36));
});

const LATENTS: Values = { shape: [1, 2, 3, 4], data: pseudoRandom(24) };
const HALF = fakeHalf('vae_decoder', enlarged);
const RECORD = { scaling_factor: 1, latent_channels: 4, image_channels: 3, downscale: 8 };

function withMetadata(metadata: AutoencoderHalf['metadata']): AutoencoderHalf {
  return { ...HALF, metadata };
}

type Refused = readonly [
  what: string,
  code: 'bad-input' | 'bad-model' | 'bad-parameter',
  message: RegExp,
  decoder: AutoencoderHalf,
  latents?: Values,
  options?: CodingOptions,
];

const REFUSED: readonly Refused[] = [
  [
    'latents of another model',
    'bad-input',
    /^fake: is the VAE of another model: its latents have 4 channels, and these have 16; give the VAE of the model/,
    HALF,
    { shape: [1, 1, 2, 16], data: new Float32Array(32) },
  ],
  [
    'latents of three dimensions',
    'bad-input',
    /must be \[B, h, w, C\], got \[2,3,4\]/,
    HALF,
    { ...LATENTS, shape: [2, 3, 4] },
  ],
  ['empty latents', 'bad-input', /got \[0,2,3,4\]/, HALF, { shape: [0, 2, 3, 4], data: new Float32Array(0) }],
  ['too few values', 'bad-input', /latents: has 23 values/, HALF, { ...LATENTS, data: new Float32Array(23) }],
  [
    'latents with NaN',
    'bad-input',
    /value 0 is NaN/,
    HALF,
    { ...LATENTS, data: new Float32Array(24).fill(Number.NaN) },
  ],
  ['an encoder', 'bad-input', /is a vae_encoder, and a VAE's decoder is needed/, fakeHalf('vae_encoder', enlarged)],
  ['a UNet', 'bad-input', /is a unet, and a VAE's decoder is needed/, withMetadata({ kind: 'unet' })],
  ['a model of no kind', 'bad-input', /is of no kind that it names/, withMetadata({})],
  [
    'no record',
    'bad-model',
    /^fake metadata: vae must be an object, got nothing; convert it again$/,
    withMetadata({ kind: 'vae_decoder' }),
  ],
  [
    'a scaling factor of 0',
    'bad-model',
    /vae\.scaling_factor must be a number above 0, got 0/,
    withMetadata({ kind: 'vae_decoder', vae: { ...RECORD, scaling_factor: 0 } }),
  ],
  [
    'another downscale',
    'bad-model',
    /its output is \[1,16,24,3\], and \[1,8,12,3\] is what its metadata say/,
    withMetadata({ kind: 'vae_decoder', vae: { ...RECORD, downscale: 4 } }),
  ],
  [
    'an answer of NaN',
    'bad-model',
    /^fake: it answered NaN at value 0 of 1152; its weights are broken/,
    fakeHalf('vae_decoder', (latent) => tf.mul(enlarged(latent), Number.NaN)),
  ],
  [
    'an infinite answer',
    'bad-model',
    /it answered -?Infinity at value/,
    fakeHalf('vae_decoder', (latent) => tf.div(enlarged(latent), 0)),
  ],
  [
    'a tile that is no number',
    'bad-parameter',
    /^tiling: tiles of 2\.5 latent pixels/,
    HALF,
    LATENTS,
    { tiling: { tile: 2.5 } },
  ],
];

for (const [what, code, message, decoder, latents = LATENTS, options] of REFUSED) {
  test(`${what}: refused in one line, no tensor left`, async () => {
    await useBackend('cpu');
    const before = tf.memory().numTensors;
    await failsWith(code, message, () => decodeLatents(decoder, latents, options));
    assert.is(tf.memory().numTensors, before);
  });
}

test('where TF.js fails no tensor is left', async () => {
  await useBackend('cpu');
  const before = tf.memory().numTensors;
  const failing = fakeHalf('vae_decoder', () => {
    throw new RangeError('Array buffer allocation failed');
  });
  let thrown: unknown;
  await decodeLatents(failing, LATENTS).catch((error: unknown) => {
    thrown = error;
  });
  assert.match(String(thrown), /allocation failed/);
  assert.is(tf.memory().numTensors, before);
});

test('the signal stops between two tiles', async () => {
  await useBackend('cpu');
  const before = tf.memory().numTensors;
  const controller = new AbortController();
  const onTile = ({ done }: TileProgress) => done === 2 && setTimeout(() => controller.abort());
  const options = { tiling: { tile: 1, overlap: 0 }, onTile, signal: controller.signal };
  await failsWith('aborted', /^decode: stopped after 2 of 6 tiles$/, () => decodeLatents(HALF, LATENTS, options));
  assert.is(tf.memory().numTensors, before);
  const signal = AbortSignal.abort();
  await failsWith('aborted', /stopped after 0 of 1 tiles/, () => decodeLatents(HALF, LATENTS, { signal }));
});

test.run();
