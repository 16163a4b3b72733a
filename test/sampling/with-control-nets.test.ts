import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { BatchPart } from '../../src/passes/index.ts';
import type { Residuals, UNetInputs } from '../../src/runtime/index.ts';
import { type DenoisingModel, withControlNets } from '../../src/sampling/index.ts';

const THREE = ['uncond', 'image', 'cond'] as const;
const test = suite('ControlNets around a model');

test.before(async () => {
  await tf.setBackend('cpu');
});

/** What a UNet is fed of a ControlNet whose residual is the number of the image's text, plus 1; of `batch` texts 1, 2, ... */
async function residualOf(conditionalOnly: boolean, parts: readonly BatchPart[], batch = 2): Promise<number[]> {
  let seen: number[] = [];
  const unet: DenoisingModel = {
    predict(inputs) {
      const { mid_block_res: residual } = inputs;
      seen = residual instanceof tf.Tensor ? Array.from(residual.dataSync()) : [];
      return { out_sample: tf.zeros([1, 1, 1, 1]), sites: [] };
    },
  };
  const controlNet = {
    predict: ({ encoder_hidden_states: text }: UNetInputs): Residuals => ({
      mid_block_res: tf.reshape(tf.add(text ?? tf.zeros([1]), 1), [-1, 1, 1, 1]) as tf.Tensor4D,
    }),
  };
  const image = { shape: [1, 1, 1, 3], data: new Float32Array(3) };
  const model = withControlNets(unet, [{ controlNet, image, conditionalOnly }]);
  const texts = Array.from({ length: batch }, (_, index) => index + 1);
  const encoder_hidden_states = tf.tensor(texts, [batch, 1, 1]);
  const inputs = { sample: tf.zeros([batch, 1, 1, 4]), timestep: 7, encoder_hidden_states };
  const before = tf.memory().numTensors;
  const { out_sample } = await model.predict(inputs, { parts });
  out_sample.dispose();
  assert.is(tf.memory().numTensors, before);
  tf.dispose(Object.values(inputs).filter((value) => value instanceof tf.Tensor));
  return seen;
}

test('one that averages steers what is asked for alone, as guess mode of diffusers does', async () => {
  assert.equal(await residualOf(false, ['uncond', 'cond']), [2, 3]);
  assert.equal(await residualOf(true, ['uncond', 'cond']), [0, 3]);
  assert.equal(await residualOf(true, ['cond']), [2, 3]);
});

test('the same where guidance has three parts, by text and by image, of one image and of two', async () => {
  assert.equal(await residualOf(true, THREE, 3), [0, 0, 4]);
  assert.equal(await residualOf(true, THREE, 6), [0, 0, 0, 0, 6, 7]);
  assert.equal(await residualOf(false, THREE, 3), [2, 3, 4]);
});

test('what the model says of a perturbed part is said of the whole', () => {
  const unet: DenoisingModel = { predict: () => Promise.reject(new Error('not asked')), steeringOf: (_, at) => at / 2 };
  assert.is(withControlNets(unet, []).steeringOf?.({}, 7), 3.5);
});

test('what a pass perturbs is steered as what it is held against', async () => {
  assert.equal(await residualOf(true, ['uncond', 'cond', 'perturbed'], 3), [0, 3, 4]);
  assert.equal(await residualOf(true, ['cond', 'perturbed']), [2, 3]);
});

test.run();
