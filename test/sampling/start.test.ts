import * as tf from '@tensorflow/tfjs-core';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { defaultConfig, denoise, firstStep, makeScheduler, SAMPLERS } from '../../src/sampling/index.ts';
import { useBackend } from '../support/backend.ts';
import { failsWith } from '../support/errors.ts';

const test = suite('runs that start from an image');

/** Steps, strength, the first step that is done: diffusers' `get_timesteps`, int(steps * strength) from the end. */
const FIRST: ReadonlyArray<readonly [number, number | undefined, number]> = [
  [20, undefined, 0],
  [20, 1, 0],
  [20, 0.8, 4],
  [5, 0.6, 2],
  [5, 0.99, 1],
  [4, 0.25, 3],
  [50, 0.29, 36],
];
for (const [steps, strength, first] of FIRST) {
  test(`${steps} steps at strength ${strength}: from step ${first}`, () => {
    assert.is(firstStep(steps, strength), first);
  });
}

for (const strength of [0, -1, 1.01, Number.NaN]) {
  test(`refuses strength ${strength}`, () =>
    failsWith('bad-parameter', /strength: must be above 0 and at most 1/, () => firstStep(20, strength)));
}

/** Samplers whose sample is picture + sigma * noise; the others keep the variance at 1. */
const BY_SIGMA = ['euler', 'euler_ancestral'];

for (const sampler of SAMPLERS) {
  test(`${sampler}: an image has the noise of its step, and none after the last`, () => {
    const scheduler = makeScheduler(defaultConfig(sampler), 4);
    const [image, noise] = [Float32Array.of(2, -1), Float32Array.of(0.5, 3)];
    for (const [step, sigma] of scheduler.sigmas.entries()) {
      const alpha = BY_SIGMA.includes(sampler) ? 1 : 1 / Math.sqrt(sigma ** 2 + 1);
      const made = scheduler.addNoise(image, noise, step);
      const expected = image.map((value, index) => alpha * (value + sigma * (noise[index] ?? 0)));
      made.forEach((value, index) => {
        assert.ok(Math.abs(value - (expected[index] ?? 0)) < 1e-5 * (1 + sigma), `step ${step}`);
      });
    }
    assert.equal(scheduler.addNoise(image, noise, 4), image);
  });
}

/** Answers no noise at all. */
const SILENT = {
  predict: ({ sample }: { sample: tf.Tensor }) => ({ out_sample: tf.zerosLike(sample) as tf.Tensor4D, sites: [] }),
};

test('what the mask keeps is the image at the end; the rest is not', async () => {
  await useBackend('cpu');
  const scheduler = makeScheduler(defaultConfig('ddim'), 4);
  const latents = Float32Array.from({ length: 2 * 2 * 2 * 4 }, (_, index) => index / 10);
  const mask = Float32Array.of(0, 1, 1, 0);
  const done: Float32Array[] = [];
  const start = { latents, strength: 0.75, mask };
  const cond = { encoder_hidden_states: { shape: [1, 1, 1], data: Float32Array.of(0) } };
  const run = denoise({ unet: SILENT, scheduler, cond, height: 2, width: 2, batch: 2, start });
  for await (const { latents: after, steps, index } of run) {
    assert.equal([steps, index], [3, done.length]);
    done.push(after);
  }
  const last = done.at(-1) ?? new Float32Array();
  latents.forEach((value, index) => {
    const isKept = mask[Math.floor(index / 4) % 4] === 0;
    assert.is(last[index] === value, isKept, `value ${index}`);
  });
});

test('latents and masks of another size are refused', async () => {
  const scheduler = makeScheduler(defaultConfig('ddim'), 4);
  const cond = { encoder_hidden_states: { shape: [1, 1, 1], data: Float32Array.of(0) } };
  const begin = (latents: number, mask?: number) => {
    const start = { latents: new Float32Array(latents), strength: 1, mask: mask ? new Float32Array(mask) : undefined };
    return denoise({ unet: SILENT, scheduler, cond, height: 2, width: 2, start }).next();
  };
  await failsWith('bad-input', /start\.latents: has 15 values, and the run has 16/, () => begin(15));
  await failsWith('bad-input', /start\.mask: has 3 values, and the latents are 2 x 2/, () => begin(16, 3));
});

test.run();
