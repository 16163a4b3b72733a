import * as tf from '@tensorflow/tfjs-core';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { SlothfulError } from '../../src/errors.ts';
import type { PredictOptions, SiteRecord, UNetInputs } from '../../src/runtime/index.ts';
import {
  batchNoise,
  type DenoiseOptions,
  type DenoiseStep,
  type DenoisingModel,
  defaultConfig,
  denoise,
  makeScheduler,
  modelCalls,
  type Values,
} from '../../src/sampling/index.ts';
import { useBackend } from '../support/backend.ts';
import { largestDifference } from '../support/numbers.ts';

const SITE: SiteRecord = {
  id: 'a',
  tokens: 6,
  queries: 6,
  kvTokens: 2,
  items: 1,
  logitsBytes: 48,
  pooled: true,
  rows: {},
};
const text = (value: number): Values => ({ shape: [1, 2, 3], data: new Float32Array(6).fill(value) });

/** Answers 0.1 x + the text's mean, so that halves of a guided batch can be told apart; keeps what it was asked. */
class FakeModel implements DenoisingModel {
  readonly asked: { shapes: Record<string, number[]>; timestep: unknown; options: PredictOptions }[] = [];
  answer: (call: number) => number | undefined = () => undefined;

  predict(inputs: UNetInputs, options: PredictOptions) {
    const tensors = Object.entries(inputs).filter(
      (entry): entry is [string, tf.Tensor] => entry[1] instanceof tf.Tensor,
    );
    const shapes = Object.fromEntries(tensors.map(([name, tensor]) => [name, tensor.shape]));
    const call = this.asked.push({ shapes, timestep: inputs.timestep, options }) - 1;
    const out_sample = tf.tidy(() => {
      const { sample, encoder_hidden_states: words } = inputs;
      const shift = words ? tf.reshape(tf.mean(words, [1, 2]), [-1, 1, 1, 1]) : tf.scalar(0);
      const output: tf.Tensor4D = tf.add(tf.mul(sample, 0.1), shift);
      const value = this.answer(call);
      return value === undefined ? output : tf.mul<tf.Tensor4D>(output, value);
    });
    return { out_sample, sites: [SITE] };
  }
}

function options(unet: DenoisingModel, changes: Partial<DenoiseOptions> = {}): DenoiseOptions {
  const scheduler = makeScheduler(defaultConfig('ddim'), 4);
  return { unet, scheduler, cond: { encoder_hidden_states: text(1) }, height: 2, width: 3, seed: 5, ...changes };
}

async function all(given: DenoiseOptions): Promise<DenoiseStep[]> {
  const steps: DenoiseStep[] = [];
  for await (const step of denoise(given)) steps.push(step);
  return steps;
}

async function thrown(given: DenoiseOptions): Promise<SlothfulError> {
  try {
    await all(given);
  } catch (error) {
    if (error instanceof SlothfulError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

const test = suite('denoise');
let tensors = 0;
test.before(() => useBackend('cpu'));
test.before.each(() => {
  tensors = tf.memory().numTensors;
});
test.after.each(() => {
  assert.is(tf.memory().numTensors, tensors, 'tensors leaked');
});

test('yields every step with what it was and did', async () => {
  const unet = new FakeModel();
  const { scheduler, ...rest } = options(unet);
  const steps = await all({ ...rest, scheduler });
  assert.equal(
    steps.map(({ timestep }) => timestep),
    [751, 501, 251, 1],
  );
  assert.equal(
    steps.map(({ index }) => index),
    [0, 1, 2, 3],
  );
  assert.equal(
    steps.map(({ sigma }) => sigma),
    modelCalls(scheduler).map(([call]) => call?.sigma),
  );
  assert.ok(
    steps.every(({ latents, predictedOriginal, sites, milliseconds, steps: count }) => {
      return (
        latents.length === 24 && predictedOriginal.length === 24 && sites[0] === SITE && milliseconds > 0 && count === 4
      );
    }),
  );
  assert.equal(
    unet.asked.map((each) => [each.timestep, each.options.sigma, each.options.stepIndex]),
    steps.map(({ timestep, sigma, index }) => [timestep, sigma, index]),
  );
});

test('is the scheduler applied to the model, from the noise of the seed', async () => {
  const scheduler = makeScheduler({ ...defaultConfig('euler'), timestep_spacing: 'leading' }, 3);
  const steps = await all(options(new FakeModel(), { scheduler, batch: 2 }));
  let sample: Float32Array = batchNoise(24, 2, 5, 'initial').map((value) => value * scheduler.initNoiseSigma);
  for (const [index, step] of steps.entries()) {
    const modelOutput = scheduler.scaleInput(sample, index).map((x) => 0.1 * x + 1);
    sample = scheduler.step(index, { modelOutput, sample }).sample;
    assert.ok(largestDifference(step.latents, sample) < 1e-5);
  }
});

test('every sampler gets the noise and the look back that it needs', async () => {
  for (const type of ['euler_ancestral', 'lcm', 'dpmpp_2m'] as const) {
    const scheduler = makeScheduler(defaultConfig(type), 4);
    const steps = await all(options(new FakeModel(), { scheduler }));
    let sample: Float32Array = batchNoise(24, 1, 5, 'initial').map((value) => value * scheduler.initNoiseSigma);
    let previousOriginal: Float32Array | undefined;
    for (const [index, step] of steps.entries()) {
      const modelOutput = scheduler.scaleInput(sample, index).map((x) => 0.1 * x + 1);
      const noise = batchNoise(24, 1, 5, 'step', index);
      const next = scheduler.step(index, { modelOutput, sample, noise, previousOriginal });
      [sample, previousOriginal] = [next.sample, next.predictedOriginal];
      assert.ok(largestDifference(step.latents, sample) < 1e-5, `${type} ${index}`);
    }
  }
});

test('guidance asks both halves in one call, unconditional first', async () => {
  const unet = new FakeModel();
  const uncond = { encoder_hidden_states: text(-1) };
  const guided = await all(options(unet, { uncond, guidanceScale: 5, batch: 2 }));
  assert.is(unet.asked.length, 4);
  assert.equal(unet.asked[0]?.shapes, { sample: [4, 2, 3, 4], encoder_hidden_states: [4, 2, 3] });
  // -1 + 5 (1 - -1) = 9
  const same = await all(options(new FakeModel(), { cond: { encoder_hidden_states: text(9) }, batch: 2 }));
  assert.ok(largestDifference(guided[3]?.latents ?? [], same[3]?.latents ?? []) < 1e-4);
});

test('no second half at a guidance scale of 1 or less', async () => {
  for (const guidanceScale of [1, 0, undefined]) {
    const unet = new FakeModel();
    await all(options(unet, { uncond: { encoder_hidden_states: text(-1) }, guidanceScale }));
    assert.equal(unet.asked[0]?.shapes.sample, [1, 2, 3, 4]);
  }
});

test('batch size changes no picture', async () => {
  const scheduler = makeScheduler(defaultConfig('euler_ancestral'), 4);
  const batch = await all(options(new FakeModel(), { scheduler, batch: 3 }));
  for (const image of [0, 1, 2]) {
    const one = await all(options(new FakeModel(), { scheduler, seed: 5 + image }));
    assert.equal(batch[3]?.latents.slice(image * 24, (image + 1) * 24), one[3]?.latents);
  }
});

test('previews come every so many steps and at the end, and change nothing', async () => {
  const seen: number[] = [];
  const onPreview = ({ index }: DenoiseStep) => {
    seen.push(index);
  };
  const scheduler = makeScheduler(defaultConfig('euler_ancestral'), 5);
  const steps = await all(options(new FakeModel(), { scheduler, onPreview, previewEvery: 2 }));
  assert.equal(seen, [1, 3, 4]);
  assert.equal((await all(options(new FakeModel(), { scheduler })))[4]?.latents, steps[4]?.latents);
});

test('parameters are a function of the step', async () => {
  const unet = new FakeModel();
  const steps = await all(
    options(unet, { control: ({ index, sigma }) => (index ? { in_strength: sigma } : undefined) }),
  );
  const expected = steps.map(({ index, sigma }) => (index ? { in_strength: sigma } : undefined));
  assert.equal(
    unet.asked.map((each) => each.options.parameters),
    expected,
  );
  assert.equal(
    steps.map(({ parameters }) => parameters),
    expected,
  );
});

test('slothful: false reaches the model', async () => {
  const unet = new FakeModel();
  await all(options(unet, { slothful: false }));
  assert.ok(unet.asked.every((each) => each.options.slothful === false));
});

test('SDXL inputs: one for all images, time_ids of cond for both', async () => {
  const unet = new FakeModel();
  const one = (shape: number[]) => ({ shape, data: new Float32Array(shape.reduce((a, b) => a * b)) });
  const cond = { encoder_hidden_states: text(1), text_embeds: one([2, 5]), time_ids: one([1, 6]) };
  const uncond = { encoder_hidden_states: text(0), text_embeds: one([1, 5]) };
  await all(options(unet, { cond, uncond, guidanceScale: 2, batch: 2 }));
  const { sample, ...others } = unet.asked[0]?.shapes ?? {};
  assert.equal(others, { encoder_hidden_states: [4, 2, 3], text_embeds: [4, 5], time_ids: [4, 6] });
});

test('an abort stops between steps and says how far it came', async () => {
  const stop = new AbortController();
  const unet = new FakeModel();
  const onPreview = ({ index }: DenoiseStep) => {
    if (index === 1) stop.abort('enough');
  };
  const error = await thrown(options(unet, { signal: stop.signal, onPreview }));
  assert.is(error.code, 'aborted');
  assert.is(error.message, 'denoise: stopped after 2 of 4 steps');
  assert.is(error.cause, 'enough');
  assert.is(unet.asked.length, 2);
});

test('a timer that aborts is heard though the model never waits', async () => {
  const stop = new AbortController();
  setTimeout(() => stop.abort(), 1);
  const scheduler = makeScheduler(defaultConfig('ddim'), 500);
  assert.is((await thrown(options(new FakeModel(), { scheduler, signal: stop.signal }))).code, 'aborted');
});

test('an abort before the first step asks nothing', async () => {
  const unet = new FakeModel();
  assert.match((await thrown(options(unet, { signal: AbortSignal.abort() }))).message, /after 0 of 4/);
  assert.is(unet.asked.length, 0);
});

test('a loop that is left early holds no tensors', async () => {
  const unet = new FakeModel();
  for await (const step of denoise(options(unet))) {
    assert.is(tf.memory().numTensors, tensors);
    if (step.index === 1) break;
  }
  assert.is(unet.asked.length, 2);
});

test('50 steps leak nothing', async () => {
  const scheduler = makeScheduler(defaultConfig('lcm'), 50);
  assert.is((await all(options(new FakeModel(), { scheduler }))).length, 50);
});

test('NaN names the step', async () => {
  for (const value of [Number.NaN, Number.POSITIVE_INFINITY]) {
    const unet = new FakeModel();
    unet.answer = (call) => (call === 2 ? value : undefined);
    const error = await thrown(options(unet));
    assert.is(error.code, 'bad-model');
    assert.match(error.message, /^step 2 \(timestep 251\): the model answered -?(NaN|Infinity) at value 0 of 24; its/);
  }
});

test('an output of another shape is refused', async () => {
  const unet: DenoisingModel = {
    predict: async () => ({ out_sample: tf.zeros<tf.Rank.R4>([1, 2, 3, 8]), sites: [] }),
  };
  assert.match((await thrown(options(unet))).message, /output is \[1,2,3,8\], and its sample was \[1,2,3,4\]/);
});

test('an error of the model comes through, and nothing leaks', async () => {
  const unet: DenoisingModel = {
    predict: () => {
      throw new SlothfulError('bad-input', 'input "sample"', 'is too small');
    },
  };
  assert.match((await thrown(options(unet))).message, /input "sample": is too small/);
});

const given = (initial: Float32Array) => ({ initial });
const words = (shape: number[], length: number, value = 0) => ({
  encoder_hidden_states: { shape, data: new Float32Array(length).fill(value) },
});
/** One thing wrong each; the same without it runs in the tests above. */
const WRONG: readonly [name: string, changes: Partial<DenoiseOptions>, message: RegExp][] = [
  ['no height', { height: 0 }, /height: must be an integer from 1, got 0/],
  ['half a width', { width: 2.5 }, /width: must be an integer/],
  ['no batch', { batch: 0 }, /batch: must be/],
  ['no previews', { previewEvery: 0 }, /previewEvery: must be/],
  ['endless guidance', { guidanceScale: Number.NaN }, /guidanceScale: must be a finite number, got NaN/],
  ['guidance without uncond', { guidanceScale: 2 }, /guidanceScale: 2 needs the unconditional half; give uncond/],
  ['an invalid seed', { seed: -1 }, /seed: must be a whole number from 0 to/],
  ['a seed too high for the batch', { seed: Number.MAX_SAFE_INTEGER, batch: 2 }, /seed: must be an integer/],
  [
    'noise of another size',
    { noise: given(new Float32Array(23)) },
    /noise.initial: has 23 values, and the latents have 24/,
  ],
  ['broken noise', { noise: given(new Float32Array(24).fill(Number.NaN)) }, /noise.initial: value 0 is NaN/],
  ['words of another batch', { cond: words([3, 2, 1], 6), batch: 2 }, /cond.encoder_hidden_states: is for 3 images/],
  ['a shape that lies', { cond: words([1, 2, 3], 5) }, /cond.encoder_hidden_states: has 5 values, and its shape/],
  ['broken words', { cond: words([1, 2, 3], 6, Number.NaN) }, /cond.encoder_hidden_states: value 0 is NaN/],
  ['unlike halves', { uncond: words([1, 2, 4], 8), guidanceScale: 2 }, /is \[1,2,4\] in uncond and \[1,2,3\] in cond/],
  ['half missing', { uncond: {}, guidanceScale: 2 }, /uncond.encoder_hidden_states: is missing/],
];
for (const [name, changes, message] of WRONG) {
  test(`refuses ${name}`, async () => {
    const unet = new FakeModel();
    assert.match((await thrown(options(unet, changes))).message, message);
    assert.is(unet.asked.length, 0);
  });
}

test('given noise: a sampler that needs more than the first says so', async () => {
  const scheduler = makeScheduler(defaultConfig('lcm'), 3);
  const noise = given(new Float32Array(24));
  assert.match(
    (await thrown(options(new FakeModel(), { scheduler, noise }))).message,
    /noise.step\(0\): the sampler needs/,
  );
});

test.run();
