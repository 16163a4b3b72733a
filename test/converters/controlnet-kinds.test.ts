import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import '@tensorflow/tfjs-backend-wasm';
import * as tf from '@tensorflow/tfjs-core';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { convertControlNet } from '../../converters/index.ts';
import { readModel } from '../../src/models/node.ts';
import { loadControlNet } from '../../src/node.ts';
import { toFloat32Array } from '../../src/tensors/index.ts';
import { changedControlNet } from '../support/changed-controlnet.ts';
import { companion, companionInputs, companionTensor, goldenInput } from '../support/companion-goldens.ts';
import { failsWith } from '../support/errors.ts';
import { largestDifference } from '../support/numbers.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { unetGoldens } from '../support/unet-goldens.ts';
import { floats, type RawTensor, readTensors } from '../support/write-tensors.ts';

const test = suite('ControlNets that average, of blue, green, red, and of differences');

/** The scale that is in the goldens' residuals. */
const SCALE = 0.7;

test.before(async () => {
  await tf.setBackend('wasm');
});

/** The first, the last and the middle residual of a model at the golden input, at its scale, NCHW as diffusers has them. */
async function residuals(model: string, turn: (image: tf.Tensor4D) => tf.Tensor4D = (image) => image) {
  const net = await loadControlNet(model, { backend: 'wasm' });
  const found = tf.tidy(() => {
    const { sample, ...rest } = companionInputs({ checkpoint: 'sd15', timestep: 601, params: null, out: '' });
    const nhwc = (tensor: tf.Tensor) => tf.transpose(tensor, [0, 2, 3, 1]) as tf.Tensor4D;
    const image = turn(nhwc(goldenInput('controlnet_sd15.image')));
    const all = net.predict({ ...rest, sample: nhwc(sample), image }, { scale: SCALE });
    return ['down_block_res_0', 'down_block_res_11', 'mid_block_res'].map((name) => {
      const residual = tf.transpose(all[name] ?? tf.zeros([1, 1, 1, 1]), [0, 3, 1, 2]);
      return { shape: residual.shape, data: Float32Array.from(residual.dataSync()) };
    });
  });
  net.dispose();
  return found;
}

const GOLDENS = ['controlnet_sd15.down.0', 'controlnet_sd15.down.11', 'controlnet_sd15.mid'];

async function converted(source: string, options = {}): Promise<{ model: string; notes: readonly string[] }> {
  const model = join(temporaryFolder(), 'model');
  const { notes } = await convertControlNet(source, model, options);
  return { model, notes };
}

async function expectGoldens(model: string, turn?: (image: tf.Tensor4D) => tf.Tensor4D) {
  (await residuals(model, turn)).forEach(({ data }, index) => {
    const difference = largestDifference(data, companionTensor(GOLDENS[index] ?? '').data);
    assert.ok(difference <= 1e-4, `${GOLDENS[index]} differs by ${difference}`);
  });
}

/** As diffusers does: torch.mean over height and width, whose axes stay. */
async function expectPooled(model: string) {
  (await residuals(model)).forEach(({ shape, data }, index) => {
    const golden = companionTensor(GOLDENS[index] ?? '');
    const means = tf.tidy(() => tf.mean(tf.tensor(golden.data, golden.shape), [2, 3], true).dataSync());
    assert.equal(shape, [...golden.shape.slice(0, 2), 1, 1]);
    const difference = largestDifference(data, Float32Array.from(means));
    assert.ok(difference <= 1e-4, `${GOLDENS[index]} differs by ${difference}`);
  });
}

test('a config asks for the mean over the picture, a name does, and a user', async () => {
  const folder = await changedControlNet((_, config) => {
    config.global_pool_conditions = true;
  });
  const asked = await converted(folder);
  await expectPooled(asked.model);
  assert.equal(asked.notes, []);
  assert.is((await readModel(asked.model)).graph.metadata.global_pool_conditions, true);
  const single = join(temporaryFolder(), 'control_v11e_sd15_shuffle_fp16.safetensors');
  writeFileSync(single, readFileSync(companion('controlnet_sd15/diffusion_pytorch_model.safetensors')));
  const named = await converted(single);
  await expectPooled(named.model);
  assert.match(named.notes.join(), /is called "shuffle".*averaged over the picture.*--no-global-pool/);
  const plain = await converted(single, { globalPool: false });
  assert.equal(plain.notes, []);
  await expectGoldens(plain.model);
});

test('a ControlNet of blue, green, red is shown the picture turned round', async () => {
  const folder = await changedControlNet((_, config) => {
    config.controlnet_conditioning_channel_order = 'bgr';
  });
  await expectGoldens((await converted(folder)).model, (image) => tf.reverse(image, 3));
});

test('a ControlNet of differences is added to its UNet, and refused without one', async () => {
  const unet = readTensors(readFileSync(join(unetGoldens('sd15').diffusers, 'diffusion_pytorch_model.safetensors')));
  const halves = ({ bytes }: RawTensor) => toFloat32Array(new Uint8Array(bytes), 'F16');
  const difference = await changedControlNet((tensors) => {
    for (const [name, own] of tensors) {
      const whole = unet.get(name);
      if (!whole) continue;
      const base = halves(whole);
      tensors.set(
        name,
        floats(
          own.shape,
          halves(own).map((value, at) => value - (base[at] ?? 0)),
        ),
      );
    }
    tensors.set('difference', floats([1], [1]));
  });
  const base = unetGoldens('sd15').diffusers;
  await expectGoldens((await converted(difference, { base })).model);
  await failsWith('usage', /ControlNet of differences.*--base CHECKPOINT/, () => converted(difference));
  await failsWith('usage', /--base: is for ControlNets of differences/, () =>
    converted(companion('controlnet_sd15'), { base }),
  );
});

test.run();
