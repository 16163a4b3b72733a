import { readFileSync, writeFileSync } from 'node:fs';
import { cp } from 'node:fs/promises';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { convertCheckpoint } from '../../converters/index.ts';
import { loadUNet, openModel } from '../../src/node.ts';
import { executeRun, resolveRun, steer } from '../../src/pipeline/index.ts';
import { guidanceEmbedding } from '../../src/sampling/index.ts';
import { fixturePath } from '../support/fixtures.ts';
import { largestDifference } from '../support/numbers.ts';
import { readSafetensors } from '../support/safetensors.ts';
import { temporaryFolder } from '../support/temporary.ts';

const test = suite('UNets of the same architecture with one thing more or less');

function goldens(name: string) {
  const tensors = readSafetensors(fixturePath(`unet-kin/${name}/goldens.safetensors`));
  return (key: string) => {
    const tensor = tensors.get(key);
    if (!tensor) throw new Error(`no golden ${key}`);
    return tensor;
  };
}

async function predicted(model: string, golden: ReturnType<typeof goldens>, timestepCond?: Float32Array) {
  const unet = await loadUNet(model, { backend: 'wasm' });
  const values = tf.tidy(() => {
    const of = (name: string) => tf.tensor(golden(name).data, golden(name).shape);
    const cond = timestepCond && { timestep_cond: tf.tensor(timestepCond, [1, timestepCond.length]) };
    const inputs = { sample: of('sample'), encoder_hidden_states: of('encoder_hidden_states'), timestep: 499, ...cond };
    return Float32Array.from(unet.predict(inputs, { layout: 'nchw' }).out_sample.dataSync());
  });
  unet.dispose();
  return values;
}

test('a UNet without a middle block, with its config, with that of Flax, and without any', async () => {
  const golden = goldens('no-middle');
  const folder = temporaryFolder();
  await cp(fixturePath('unet-kin/no-middle/unet'), join(folder, 'unet'), { recursive: true });
  const config = join(folder, 'unet/config.json');
  const json = JSON.parse(readFileSync(config, 'utf8'));
  writeFileSync(config, JSON.stringify({ ...json, _class_name: 'FlaxUNet2DConditionModel' }));
  const single = fixturePath('unet-kin/no-middle/unet/diffusion_pytorch_model.safetensors');
  await cp(single, join(folder, 'single.safetensors'));
  for (const [index, source] of [fixturePath('unet-kin/no-middle'), folder].entries()) {
    const model = join(folder, `model-${index}`);
    await convertCheckpoint(source, model);
    const difference = largestDifference(await predicted(model, golden), golden('out.none').data);
    assert.ok(difference <= 1e-4, `${source} differs by ${difference}`);
  }
  const summary = await convertCheckpoint(join(folder, 'single.safetensors'), join(folder, 'single'));
  assert.is(summary.family, 'sd15');
});

test('a full LCM model: without its guidance embedding, with it, and with that of another scale', async () => {
  const golden = goldens('lcm');
  const model = join(temporaryFolder(), 'model');
  const { notes } = await convertCheckpoint(fixturePath('unet-kin/lcm'), model);
  assert.match(notes.join(), /is a full LCM model \(time_cond_proj_dim\)/);
  const told = [undefined, guidanceEmbedding(8.5, 16).data, guidanceEmbedding(1, 16).data];
  for (const [index, name] of ['out.none', 'out.8.5', 'out.1'].entries()) {
    const difference = largestDifference(await predicted(model, golden, told[index]), golden(name).data);
    assert.ok(difference <= 2e-4, `${name} differs by ${difference}`);
  }
  const embedded = largestDifference(guidanceEmbedding(8.5, 16).data, golden('timestep_cond.8.5').data);
  assert.ok(embedded <= 1e-6, `the embedding differs by ${embedded}`);
});

test('a run of a full LCM model is told its scale, and guided away from nothing', async () => {
  const golden = goldens('lcm');
  const folder = join(temporaryFolder(), 'model');
  await convertCheckpoint(fixturePath('unet-kin/lcm'), folder);
  const model = await openModel(folder);
  const cond = { encoder_hidden_states: golden('encoder_hidden_states') };
  const { settings } = resolveRun(model, { conditioning: { cond }, size: { width: 64, height: 64 }, steps: 1 });
  assert.is(settings.scheduler.type, 'lcm');
  assert.is(settings.guidance_scale, 8.5);
  assert.is(settings.guidance_dim, 16);
  const steered = await steer(model, { pixels: { width: 64, height: 64 }, backend: 'wasm' });
  const seen: unknown[] = [];
  const unet: typeof steered.model = {
    predict(inputs, options) {
      const { timestep_cond: told } = inputs;
      seen.push(inputs.sample.shape[0], told instanceof tf.Tensor ? Array.from(told.dataSync()) : told);
      return steered.model.predict(inputs, options);
    },
  };
  await executeRun({ unet, settings, conditioning: { cond }, patch: undefined });
  steered.dispose();
  assert.equal(seen, [1, Array.from(guidanceEmbedding(8.5, 16).data)]);
});

test.run();
