import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import * as assert from 'uvu/assert';
import { convertTaesd, convertVae } from '../../converters/index.ts';
import type { LoadedModel } from '../../src/runtime/index.ts';
import { loadModel } from '../../src/runtime/node.ts';
import type { Values } from '../../src/sampling/index.ts';
import type { AutoencoderHalf, AutoencoderKind } from '../../src/vae/index.ts';
import { TEST_BACKENDS, type TestBackend } from '../support/backend.ts';
import { fixturePath } from '../support/fixtures.ts';
import { largestDifference } from '../support/numbers.ts';
import { goldenTensor, type PipelineName, pipelineFolder, TOLERANCE } from '../support/pipeline-goldens.ts';
import { temporaryFolder } from '../support/temporary.ts';

const folders = new Map<string, Promise<string>>();

/** The folder of a converted half; each is converted once. */
export function convertedFolder(name: PipelineName | 'taesd', half: 'decoder' | 'encoder'): Promise<string> {
  const key = `${name} ${half}`;
  const folder = folders.get(key) ?? convert(name, half);
  folders.set(key, folder);
  return folder;
}

async function convert(name: PipelineName | 'taesd', half: 'decoder' | 'encoder'): Promise<string> {
  const folder = join(temporaryFolder(), half);
  if (name === 'taesd') await convertTaesd(fixturePath(`pipeline/taesd/taesd_${half}.safetensors`), folder, half);
  else await convertVae(pipelineFolder(name), folder, half);
  return folder;
}

/** Runs a check with a converted half, loaded as users load it, on every backend; no tensor may be left over. */
export async function eachBackend(
  name: PipelineName | 'taesd',
  half: 'decoder' | 'encoder',
  check: (model: LoadedModel, backend: TestBackend) => Promise<void>,
): Promise<void> {
  const folder = await convertedFolder(name, half);
  for (const backend of TEST_BACKENDS) {
    const model = await loadModel(folder, { backend });
    const before = tf.memory().numTensors;
    await check(model, backend);
    assert.is(tf.memory().numTensors, before, `tensors are left on ${backend}`);
    model.dispose();
  }
}

/** A tensor of the goldens as plain numbers, maps as NHWC. */
export function goldenValues(section: string, name: string): Values {
  return tf.tidy(() => {
    const tensor = goldenTensor(section, name);
    return { shape: tensor.shape, data: Float32Array.from(tensor.dataSync()) };
  });
}

/** Bytes of the goldens as an encoder takes them. */
export function goldenImage(section: string, name: string): Values {
  const { shape, data } = goldenValues(section, name);
  return { shape, data: data.map((byte) => (2 * byte) / 255 - 1) };
}

/** Checks plain numbers against a tensor of the goldens. */
export function checkValuesAgainst(actual: Values, section: string, name: string): void {
  const expected = goldenValues(section, name);
  assert.equal(actual.shape, expected.shape, name);
  const difference = largestDifference(actual.data, expected.data);
  assert.ok(difference <= TOLERANCE, `${name} differs by ${difference} on ${tf.getBackend()}`);
}

/** A half that answers what `answer` makes of its input, of 4 latent and 3 image channels; all it was given is in `seen`. */
export function fakeHalf(
  kind: AutoencoderKind,
  answer: (input: tf.Tensor) => tf.Tensor,
): AutoencoderHalf & { readonly seen: number[][] } {
  const seen: number[][] = [];
  const vae = { scaling_factor: 0.5, latent_channels: 4, image_channels: 3, downscale: 8 };
  return {
    seen,
    place: 'fake',
    metadata: { kind, vae },
    execute(inputs, outputs = []) {
      const [input] = Object.values(inputs);
      if (!(input instanceof tf.Tensor)) throw new Error('a tensor is expected');
      seen.push([...input.shape]);
      return Object.fromEntries(outputs.map((name) => [name, tf.tidy(() => answer(input))]));
    },
  };
}

/** An image of 8 times the size whose pixels have the value of their latent's first channel. */
export function enlarged(latent: tf.Tensor): tf.Tensor {
  const [, height = 0, width = 0] = latent.shape;
  const first = tf.slice(latent, [0, 0, 0, 0], [1, height, width, 1]);
  const thrice: tf.Tensor4D = tf.reshape(tf.tile(first, [1, 1, 1, 3]), [1, height, width, 3]);
  return tf.image.resizeNearestNeighbor(thrice, [8 * height, 8 * width]);
}
