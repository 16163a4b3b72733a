import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import * as tf from '@tensorflow/tfjs-core';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { convertCheckpoint } from '../../converters/index.ts';
import { filesOf } from '../../scripts/fuzz/plan.ts';
import { smallUNet } from '../../scripts/fuzz/targets/small-unet.ts';
import { loadUNet } from '../../src/runtime/node.ts';
import type { UNet } from '../../src/runtime/unet.ts';
import { defaultConfig, denoise, makeScheduler, type Values } from '../../src/sampling/index.ts';
import { useBackend } from '../support/backend.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { tinyGraph, writeTiny } from '../support/tiny-model.ts';

const test = suite('endurance');

/** Of a model of mere arithmetic; of a UNet, whose steps take a hundred times as long, and which is told of each. */
const STEPS = { tiny: 1000, unet: 60 };
const ROUNDS = 50;
/** Bytes that may be more each time: compiled code and the like go up and down by as much. */
const NOISE = { step: 6000, unetStep: 60_000, load: 120_000 };

const source = temporaryFolder();
for (const [name, bytes] of filesOf(smallUNet())) writeFileSync(join(source, name), bytes);
const model = join(temporaryFolder(), 'model');
await convertCheckpoint(source, model);
await useBackend('wasm');

const tinyModel = temporaryFolder();
const tiny = tinyGraph();
writeTiny(tinyModel, tiny.graph, tiny.weights);

const load = () => loadUNet(model, { backend: 'wasm', slothful: true });
const text = (width: number): Values => ({ shape: [1, 2, width], data: new Float32Array(2 * width).fill(0.5) });

setFlagsFromString('--expose-gc');
const collect: unknown = runInNewContext('gc');

/** What is held when everything that nobody needs is gone: tensors, and bytes of the heap and beside it, wasm's with them. */
function held(): { tensors: number; bytes: number } {
  if (typeof collect === 'function') collect();
  const { heapUsed, external } = process.memoryUsage();
  return { tensors: tf.memory().numTensors, bytes: heapUsed + external };
}

/** @param times how often something was done between the two */
function isFlat(early: ReturnType<typeof held>, late: ReturnType<typeof held>, times: number, noise: number): void {
  assert.is(late.tensors, early.tensors);
  const each = Math.round((late.bytes - early.bytes) / times);
  assert.ok(each < noise, `${each} bytes more each time, ${late.bytes} in the end`);
}

/** How long a run is, of latents of so many channels and a text of that width. */
interface Run {
  readonly steps: number;
  readonly noise: number;
  readonly channels: number;
  readonly width: number;
}

/** Denoises, and compares what is held halfway with what is held at the last step and when all is over. */
async function denoised(unet: UNet, { steps, noise, channels, width }: Run): Promise<void> {
  const before = tf.memory().numTensors;
  const scheduler = makeScheduler({ ...defaultConfig('ddim'), steps_offset: 0 }, steps);
  const cond = { encoder_hidden_states: text(width) };
  const marks: ReturnType<typeof held>[] = [];
  let step = 0;
  for await (const _ of denoise({ unet, scheduler, cond, height: 4, width: 4, channels, seed: 1 })) {
    step++;
    if (step === steps / 2 || step === steps) marks.push(held());
  }
  const [early, late] = marks;
  assert.ok(early && late && step === steps);
  if (early && late) isFlat(early, late, steps / 2, noise);
  assert.is(tf.memory().numTensors, before);
}

test(`${STEPS.tiny} steps: tensors and memory stay as they are`, async () => {
  const unet = await loadUNet(tinyModel, { backend: 'wasm' });
  await denoised(unet, { steps: STEPS.tiny, noise: NOISE.step, channels: 2, width: 3 });
  unet.dispose();
});

test(`${STEPS.unet} steps of a UNet with Slothful Attention: the same`, async () => {
  const unet = await load();
  await denoised(unet, { steps: STEPS.unet, noise: NOISE.unetStep, channels: 4, width: 24 });
  unet.dispose();
});

test(`${ROUNDS} rounds of loading, predicting and disposing: nothing of a model stays`, async () => {
  const round = async () => {
    const unet = await load();
    tf.tidy(() => {
      const sample = tf.ones<tf.Rank.R4>([1, 4, 4, 4]);
      unet.predict({ sample, timestep: 500, encoder_hidden_states: tf.ones([1, 2, 24]) }).out_sample.dataSync();
    });
    unet.dispose();
  };
  // What is made once is made by then: kernels, compiled code, wasm's pages.
  for (let index = 0; index < ROUNDS / 2; index++) await round();
  const early = held();
  for (let index = 0; index < ROUNDS / 2; index++) await round();
  assert.is(early.tensors, 0);
  isFlat(early, held(), ROUNDS / 2, NOISE.load);
});

test.run();
