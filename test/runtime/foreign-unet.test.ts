import * as tf from '@tensorflow/tfjs-core';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { attr, Graph } from '../../src/graph/index.ts';
import { parseTimestepInput } from '../../src/runtime/index.ts';
import { loadUNet } from '../../src/runtime/node.ts';
import { failsWith } from '../support/errors.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { floats, ints, writeTiny } from '../support/tiny-model.ts';

const test = suite('UNets of other makers');

const FLOAT = { dtype: attr.type('float32') };
const CHANNELS = 4;
const WIDTH = 320;
const FILTER = Array.from({ length: CHANNELS * CHANNELS }, (_, index) => Math.cos(index));
const TIME_WEIGHT = Array.from({ length: WIDTH * CHANNELS }, (_, index) => Math.sin(index) / 10);

interface Kind {
  /** Channels first, with a transpose behind the input and one before the output. */
  readonly isChannelsFirst?: boolean;
  /** Name of an input for the embedding of the timestep. */
  readonly embedding?: string;
}

/** A convolution of one pixel, and the embedding of the timestep where it takes one. Returns its folder. */
function writeModel({ isChannelsFirst = false, embedding }: Kind): string {
  const graph = Graph.create();
  const shape = isChannelsFirst ? [-1, CHANNELS, 2, 3] : [-1, 2, 3, CHANNELS];
  const latent = graph.add({ name: 'latent', op: 'Placeholder', attributes: { ...FLOAT, shape: attr.shape(shape) } });
  const turned = (name: string, source: typeof latent) =>
    isChannelsFirst
      ? graph.add({ name, op: 'Transpose', inputs: [source, graph.add({ name: `${name}/order`, op: 'Const' })] })
      : source;
  const filter = graph.add({ name: 'filter', op: 'Const', attributes: FLOAT });
  const attributes = {
    strides: attr.ints([1, 1, 1, 1]),
    padding: attr.string('SAME'),
    data_format: attr.string('NHWC'),
  };
  const inside = turned('in', latent);
  let last = graph.add({
    name: 'conv',
    op: 'Conv2D',
    inputs: [inside, filter],
    attributes: { ...attributes, dilations: attr.ints([1, 1, 1, 1]) },
  });
  if (embedding) {
    const given = { ...FLOAT, shape: attr.shape([-1, WIDTH]) };
    const time = graph.add({ name: embedding, op: 'Placeholder', attributes: given });
    const weight = graph.add({ name: 'weight', op: 'Const', attributes: FLOAT });
    const product = graph.add({ name: 'product', op: 'MatMul', inputs: [time, weight] });
    const rank4 = graph.add({ name: 'rank4', op: 'Const', attributes: { dtype: attr.type('int32') } });
    last = graph.add({
      name: 'sum',
      op: 'AddV2',
      inputs: [last, graph.add({ name: 'b', op: 'Reshape', inputs: [product, rank4] })],
    });
  }
  graph.add({ name: 'y', op: 'Identity', inputs: [turned('out', last)] });
  const folder = temporaryFolder();
  const orders = isChannelsFirst ? [ints('in/order', [4], [0, 2, 3, 1]), ints('out/order', [4], [0, 3, 1, 2])] : [];
  const time = embedding
    ? [floats('weight', [WIDTH, CHANNELS], TIME_WEIGHT), ints('rank4', [4], [-1, 1, 1, CHANNELS])]
    : [];
  writeTiny(folder, graph, [floats('filter', [1, 1, CHANNELS, CHANNELS], FILTER), ...orders, ...time]);
  return folder;
}

/** Two latents [2, 2, 3, 4]. */
function latents(): tf.Tensor4D {
  return tf.reshape(tf.sin(tf.range(0, 48)), [2, 2, 3, CHANNELS]);
}

async function predict(kind: Kind, inputs: object, options: object = {}, load: object = {}): Promise<tf.Tensor4D> {
  const unet = await loadUNet(writeModel(kind), { backend: 'cpu', ...load });
  try {
    return unet.predict({ sample: latents(), ...inputs }, options).out_sample;
  } finally {
    unet.dispose();
  }
}

function assertClose(got: tf.Tensor, wanted: tf.Tensor): void {
  assert.equal(got.shape, wanted.shape);
  const off = tf.max(tf.abs(tf.sub(got, wanted))).dataSync()[0] ?? Number.NaN;
  assert.ok(off < 2e-5, `off by ${off}`);
}

test('a model of channels first is fed and read in the order of the caller', async () => {
  const plain = await predict({}, { timestep: 1 });
  assertClose(await predict({ isChannelsFirst: true }, { timestep: 1 }), plain);
  const first = { sample: tf.transpose(latents(), [0, 3, 1, 2]), timestep: 1 };
  for (const isChannelsFirst of [true, false]) {
    const got = await predict({ isChannelsFirst }, first, { layout: 'nchw' });
    assertClose(got, tf.transpose(plain, [0, 3, 1, 2]));
  }
});

test('channels in the wrong place are told', async () => {
  const wrong = () => predict({ isChannelsFirst: true }, { timestep: 1 }, { layout: 'nchw' });
  await failsWith('bad-input', /takes \[\?, 4, 2, 3\]; its channels come last: say layout "nhwc"$/, wrong);
});

/** The sum that the model makes, by KerasCV's formula: cos, then sin, of t / 10000^(i / 160). */
async function withEmbedding(timesteps: readonly number[]): Promise<tf.Tensor> {
  const half = WIDTH / 2;
  const rows = timesteps.map((timestep) => {
    const angles = Array.from({ length: half }, (_, index) => timestep * 10_000 ** (-index / half));
    return [...angles.map(Math.cos), ...angles.map(Math.sin)];
  });
  const added = tf.matMul(tf.tensor2d(rows), tf.tensor2d(TIME_WEIGHT, [WIDTH, CHANNELS]));
  return tf.add(await predict({}, { timestep: 1 }), tf.reshape(added, [-1, 1, 1, CHANNELS]));
}

test("KerasCV's embedding is made of the timestep, for each image", async () => {
  const kind = { embedding: 'timestep_embedding' };
  assertClose(await predict(kind, { timestep: 601 }), await withEmbedding([601]));
  const two = { timestep: tf.tensor1d([1, 981]) };
  assertClose(await predict(kind, two), await withEmbedding([1, 981]));
});

test('one that is given is taken as it is, and others are made as they are said to be', async () => {
  const given = { timestep: 1, timestep_embedding: tf.zeros([2, WIDTH]) };
  assertClose(await predict({ embedding: 'timestep_embedding' }, given), await predict({}, { timestep: 1 }));
  const missing = /"temb": is missing; .*--timestep-input sinusoid:cos-sin or sinusoid:sin-cos/;
  await failsWith('bad-input', missing, () => predict({ embedding: 'temb' }, { timestep: 601 }));
  const timestepInput = parseTimestepInput('sinusoid:cos-sin');
  const made = await predict({ embedding: 'temb' }, { timestep: 601 }, {}, { timestepInput });
  assertClose(made, await withEmbedding([601]));
});

test.run();
