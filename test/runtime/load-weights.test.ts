import * as tf from '@tensorflow/tfjs-core';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { attr, constantFromBytes, Graph, type Quantization, type WeightSpec } from '../../src/graph/index.ts';
import { readModel } from '../../src/models/node.ts';
import { chooseBackend } from '../../src/runtime/backend.ts';
import { loadWeights, pageAligned } from '../../src/runtime/load-weights.ts';
import { NODE_BACKENDS } from '../../src/runtime/native-backends.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { floats, halves, ints, type TinyWeight, writeTiny } from '../support/tiny-model.ts';

const test = suite('loading weights');

function upTo(size: number, first: number): number[] {
  return Array.from({ length: size }, (_, index) => first + index);
}

/** Where a tensor is not as it should be: uvu takes minutes to print the difference of long arrays. */
function firstDifference(tensor: tf.Tensor | undefined, expected: readonly number[]): string | undefined {
  const values = tensor?.dataSync() ?? [];
  if (values.length !== expected.length) return `${values.length} values for ${expected.length}`;
  const index = expected.findIndex((value, at) => !Object.is(values[at], Math.fround(value)));
  return index < 0 ? undefined : `[${index}] is ${values[index]} for ${expected[index]}`;
}

/** A weight of levels 1, 2, 3, ... */
function levels(name: string, shape: number[], dtype: WeightSpec['dtype'], quantization: Quantization): TinyWeight {
  const size = shape.reduce((product, dim) => product * dim, 1);
  const stored = quantization.dtype === 'uint8' ? Uint8Array.from(upTo(size, 1)) : Uint16Array.from(upTo(size, 1));
  return { spec: { name, shape, dtype, quantization }, bytes: new Uint8Array(stored.buffer) };
}

/** Each dtype, large beside small: memory that two weights shared would show. */
const WEIGHTS: readonly TinyWeight[] = [
  floats('large', [300, 100], upTo(30_000, 0.5)),
  halves('large_halves', [100, 300], upTo(30_000, 0x3c01)),
  halves('halves', [2, 3, 1], upTo(6, 0x3c01)),
  floats('small', [2, 2], [1, -2, 3, -4]),
  ints('ints', [3], [7, -8, 2 ** 30]),
  levels('bytes', [4, 60], 'float32', { dtype: 'uint8', scale: 0.25, min: -3 }),
  levels('byte_ints', [2, 8], 'int32', { dtype: 'uint8', scale: 2, min: -3 }),
  levels('shorts', [50, 100], 'float32', { dtype: 'uint16', scale: 0.5, min: 1 }),
  floats('scalar', [], [2.5]),
  floats('none', [0, 2], []),
  halves('last_halves', [20, 200], upTo(4000, 0x4001)),
  { spec: { name: 'flags', shape: [3], dtype: 'bool' }, bytes: Uint8Array.from([1, 0, 1]) },
];

const ADDED = { dtype: 'float32', shape: [1, 3], values: [5, 6, 7] } as const;

/** A model that has the weights, and nothing that computes. */
async function openWeights() {
  const graph = Graph.create();
  for (const { spec } of WEIGHTS) {
    graph.add({ name: spec.name, op: 'Const', attributes: { dtype: attr.type(spec.dtype) } });
  }
  const folder = temporaryFolder();
  writeTiny(folder, graph, WEIGHTS);
  const file = await readModel(folder);
  file.graph.addConstant('added', ADDED);
  return file;
}

async function startNative() {
  try {
    return await chooseBackend({ backend: 'native' }, NODE_BACKENDS);
  } catch {
    return undefined;
  }
}

const native = await startNative();
const backends = native ? (['cpu', 'wasm', 'native'] as const) : (['cpu', 'wasm'] as const);

for (const backend of backends) {
  test(`every weight has its own values on ${backend}`, async () => {
    const file = await openWeights();
    await chooseBackend({ backend }, NODE_BACKENDS);
    const before = tf.memory().numTensors;
    const tensors = await loadWeights(file, file.graph);
    assert.is(tf.memory().numTensors - before, WEIGHTS.length + 1);
    for (const { spec, bytes } of WEIGHTS) {
      const { name, dtype, shape } = spec;
      const { values = [] } = constantFromBytes(spec, bytes) ?? {};
      assert.is(tensors[name]?.dtype, dtype);
      assert.equal(tensors[name]?.shape, shape);
      assert.is(firstDifference(tensors[name], values), undefined, name);
    }
    assert.is(firstDifference(tensors.added, ADDED.values), undefined);
    tf.dispose(tensors);
    assert.is(tf.memory().numTensors, before);
  });

  test(`weights that the document wants transposed, stored and added, on ${backend}`, async () => {
    const file = await openWeights();
    await chooseBackend({ backend }, NODE_BACKENDS);
    const before = tf.memory().numTensors;
    for (const name of ['small', 'bytes', 'added']) file.graph.editWeight(name, { transpose: [1, 0] });
    const tensors = await loadWeights(file, file.graph);
    assert.equal(tensors.small?.arraySync(), [
      [1, 3],
      [-2, -4],
    ]);
    assert.equal(tensors.bytes?.shape, [60, 4]);
    assert.equal(tensors.added?.arraySync(), [[5], [6], [7]]);
    assert.equal(tensors.large?.shape, [300, 100], 'the others stay');
    tf.dispose(tensors);
    assert.is(tf.memory().numTensors, before, 'no tensor is left');
  });
}

if (native?.device === 'CPU') {
  test('TensorFlow takes over memory that starts on a page, and copies none of it', async () => {
    await chooseBackend({ backend: 'native' }, NODE_BACKENDS);
    const values = new Float32Array(pageAligned(4096));
    const tensor = tf.tensor1d(values);
    tf.slice(tensor, 0, 1).dispose();
    values[1000] = 7;
    assert.is(tensor.dataSync()[1000], 7);
    tensor.dispose();
  });
}

test('memory that starts on a page has the bytes asked for', () => {
  for (const bytes of [0, 1, 4, 4095, 4097, 2 ** 20]) assert.is(pageAligned(bytes).byteLength, bytes);
});

test.run();
