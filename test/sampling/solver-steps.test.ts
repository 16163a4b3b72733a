import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-cpu';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { PredictOptions } from '../../src/runtime/index.ts';
import {
  type DenoiseOptions,
  type DenoiseStep,
  defaultConfig,
  denoise,
  isGuided,
  type ModelCall,
  makeSolver,
  modelCalls,
  noiseSource,
  type Rng,
  type SolverName,
  withSolver,
} from '../../src/sampling/index.ts';
import { brownianSource } from '../../src/sampling/noise/index.ts';
import { failsWith } from '../support/errors.ts';
import { largestDifference, pseudoRandom } from '../support/numbers.ts';

/** Runs by ComfyUI's definitions around the samplers themselves, whose numbers test/sampling/solvers.test.ts holds. */
const test = suite("the loop by ComfyUI's definitions");

test.before(async () => {
  await tf.setBackend('cpu');
});

/** What the model was asked. */
interface Asked {
  readonly timestep: unknown;
  readonly sigma: number | undefined;
  readonly batch: number;
}

function modelThatKeeps(asked: Asked[]): DenoiseOptions['unet'] {
  return {
    predict({ sample, timestep }, { sigma }: PredictOptions) {
      asked.push({ timestep, sigma, batch: sample.shape[0] });
      return { out_sample: tf.mul<tf.Tensor4D>(sample, 0.1), sites: [] };
    },
  };
}

const text = (tokens: number, value = 0) => {
  return { encoder_hidden_states: { shape: [1, tokens, 2], data: new Float32Array(tokens * 2).fill(value) } };
};

function solver(type: SolverName, course: Parameters<typeof makeSolver>[1] = { steps: 3 }) {
  return makeSolver(withSolver(defaultConfig('ddim'), { type, sigmas: 'karras' }), course);
}

const SIZE = { height: 2, width: 3 } as const;
const COUNT = 24;

async function run(changes: Partial<DenoiseOptions>, asked: Asked[] = []): Promise<DenoiseStep[]> {
  const steps: DenoiseStep[] = [];
  const options = {
    unet: modelThatKeeps(asked),
    scheduler: solver('heun'),
    cond: text(1),
    seed: 5,
    ...SIZE,
    ...changes,
  };
  for await (const step of denoise(options)) steps.push(step);
  return steps;
}

test('every call of a step has its own noise level and timestep, and asks for its own parameters', async () => {
  const asked: Asked[] = [];
  const controlled: number[] = [];
  const scheduler = solver('heun');
  const control = ({ sigma }: ModelCall) => {
    controlled.push(sigma);
    return { time_decay: 1 };
  };
  const steps = await run({ scheduler, control }, asked);
  const expected = modelCalls(scheduler);
  assert.equal(
    expected.map((calls) => calls.length),
    [2, 2, 1],
  );
  assert.equal(
    steps.map(({ calls }) => calls.map(({ sigma, timestep }) => ({ sigma, timestep }))),
    expected,
  );
  assert.equal(
    asked.map(({ sigma }) => sigma),
    expected.flat().map(({ sigma }) => sigma),
  );
  assert.equal(
    controlled,
    expected.flat().map(({ sigma }) => sigma),
  );
  assert.equal(
    steps.map(({ index, steps: total, sigma }) => [index, total, sigma]),
    expected.map((calls, index) => [index, 3, calls[0]?.sigma]),
  );
});

test('where nothing is left to do there is no step', async () => {
  for (const course of [
    { steps: 4, strength: 0 },
    { steps: 4, part: part(4, 9) },
  ]) {
    assert.equal(await run({ scheduler: solver('euler', course) }), []);
  }
});

const part = (start_at_step: number, end_at_step: number) => {
  return { add_noise: true, start_at_step, end_at_step, return_with_leftover_noise: false };
};

test('a mask keeps the image to the bit, and draws the rest', async () => {
  const latents = pseudoRandom(COUNT, 3);
  const mask = Float32Array.from([0, 1, 0, 1, 1, 0]);
  for (const type of ['euler', 'heun', 'uni_pc', 'dpmpp_2m_sde'] as const) {
    const start = { latents, strength: 1, mask };
    const made = (await run({ scheduler: solver(type, { steps: 4 }), start })).at(-1)?.latents ?? new Float32Array();
    const kept = made.map((value, index) => (mask[Math.floor(index / 4)] ? 0 : value - (latents[index] ?? 0)));
    assert.equal([...kept].filter(Boolean), [], type);
    const drawn = made.filter((value, index) => mask[Math.floor(index / 4)] && value !== latents[index]);
    assert.is(drawn.length, 12, type);
  }
});

test('a part that ends in noise keeps the image as noisy as the rest', async () => {
  const mask = new Float32Array(6);
  const latents = new Float32Array(COUNT);
  const part = { add_noise: true, start_at_step: 0, end_at_step: 2, return_with_leftover_noise: true };
  const start = { latents, strength: 1, mask };
  const made = (await run({ scheduler: solver('euler', { steps: 4, part }), start })).at(-1)?.latents;
  assert.ok(made?.some((value) => Math.abs(value) > 0.1));
});

test('stops between two calls', async () => {
  const controller = new AbortController();
  const asked: Asked[] = [];
  const unet = modelThatKeeps(asked);
  const stopping: DenoiseOptions['unet'] = {
    predict(inputs, options) {
      if (asked.length === 1) controller.abort();
      return unet.predict(inputs, options);
    },
  };
  await failsWith('aborted', /^denoise: stopped after 1 of 3 steps$/, () =>
    run({ unet: stopping, signal: controller.signal }),
  );
  assert.is(asked.length, 2);
});

test('guidance of anything but 1 asks for both halves, as in ComfyUI', async () => {
  assert.equal(
    [0.5, 1, 2].map((scale) => [isGuided(scale, 'diffusers'), isGuided(scale, 'comfyui')]),
    [
      [false, true],
      [false, false],
      [true, true],
    ],
  );
  const asked: Asked[] = [];
  await run({ guidanceScale: 0.5, uncond: text(1, 1), scheduler: solver('euler', { steps: 1 }) }, asked);
  assert.equal(
    asked.map(({ batch }) => batch),
    [2],
  );
});

test('texts of unequal length are repeated to their common multiple', async () => {
  const shapes: number[][] = [];
  const unet: DenoiseOptions['unet'] = {
    predict({ sample, encoder_hidden_states: words }) {
      if (words instanceof tf.Tensor) shapes.push([...words.shape], Array.from(words.dataSync()));
      return { out_sample: tf.mul<tf.Tensor4D>(sample, 0), sites: [] };
    },
  };
  const words = { encoder_hidden_states: { shape: [1, 2, 1], data: Float32Array.of(1, 2) } };
  const away = { encoder_hidden_states: { shape: [1, 3, 1], data: Float32Array.of(7, 8, 9) } };
  await run({ unet, cond: words, uncond: away, guidanceScale: 3, scheduler: solver('euler', { steps: 1 }) });
  assert.equal(shapes, [
    [2, 6, 1],
    [7, 8, 9, 7, 8, 9, 1, 2, 1, 2, 1, 2],
  ]);
});

const shape = (batch: number) => [batch, 2, 3, 4] as const;
const drawn = (rng: Rng, batch: number, seed: bigint) => {
  const noise = noiseSource({ shape: shape(batch), seed, rng });
  return [noise.initial(), noise.step(0), noise.step(1)];
};

test('whose noise: one draw for the batch, or one generator a picture', () => {
  for (const rng of ['slothful', 'a1111'] as const) {
    const [both, second] = [drawn(rng, 2, 7n), drawn(rng, 1, 8n)];
    for (const [index, values] of both.entries()) assert.equal(values.slice(COUNT), second[index], `${rng}, ${index}`);
  }
  const [both = [], second = []] = [drawn('comfyui', 2, 7n), drawn('comfyui', 1, 8n)].map(([first]) => [
    ...(first ?? []),
  ]);
  assert.not.equal(both.slice(COUNT), second);
});

test('whose noise at the steps: of the next seed, of the seed itself, of a card', () => {
  const [, ofNext] = drawn('comfyui', 1, 7n);
  const [start] = drawn('comfyui', 1, 8n);
  assert.equal(ofNext, start);
  const [first, sameSeed] = drawn('comfyui-2025', 1, 7n);
  assert.equal(sameSeed, first);
  const [, onCard] = drawn('comfyui-cuda', 1, 7n);
  const [cuda] = drawn('a1111', 1, 7n);
  assert.equal(onCard, cuda, "a card's first draw of the seed");
});

test('a seed that the rng does not have', async () => {
  await failsWith('bad-parameter', /^seed: /, () => drawn('comfyui', 1, 2n ** 64n - 1n));
  await failsWith('bad-parameter', /^seed: must be an integer from 0 to 9007199254740991/, () =>
    drawn('slothful', 1, 2n ** 53n),
  );
});

test('Brownian noise of a batch: ComfyUI has one motion, the others one a picture', () => {
  const levels = { sigmaMin: 0.1, sigmaMax: 10 };
  const noise = (rng: Rng, batch: number, seed: bigint) =>
    brownianSource({ shape: shape(batch), seed, rng }, levels)(5, 2);
  assert.equal(noise('slothful', 2, 7n).slice(COUNT), noise('slothful', 1, 8n));
  assert.ok(largestDifference(noise('comfyui', 2, 7n).slice(COUNT), noise('comfyui', 1, 8n)) > 0.1);
});

test('Brownian noise of a card: only of the samplers that draw there', () => {
  const noise = (rng: Rng, onDevice: boolean) => {
    return brownianSource({ shape: shape(1), seed: 7n, rng }, { sigmaMin: 0.1, sigmaMax: 10, onDevice })(5, 2);
  };
  assert.equal(noise('comfyui-cuda', false), noise('comfyui', true));
  assert.ok(largestDifference(noise('comfyui-cuda', true), noise('comfyui', true)) > 0.1);
});

test('given noise is taken in the order of the draws', async () => {
  const asked: number[] = [];
  const noise = {
    initial: new Float32Array(COUNT).fill(1),
    step: (index: number) => {
      asked.push(index);
      return new Float32Array(COUNT);
    },
  };
  for (const type of ['euler_ancestral', 'dpmpp_2m_sde'] as const) await run({ scheduler: solver(type), noise });
  assert.equal(asked, [0, 1, 0, 1]);
});

test.run();
