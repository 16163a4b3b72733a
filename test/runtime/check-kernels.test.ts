import * as tf from '@tensorflow/tfjs-core';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { BACKENDS, backendsFor, SCARCE_KERNELS } from '../../src/backends/index.ts';
import { attr, Graph } from '../../src/graph/index.ts';
import { inspectGraph } from '../../src/reports/index.ts';
import { loadModelOn, WEB_BACKENDS } from '../../src/runtime/index.ts';
import { loadModel, NODE_PLATFORM } from '../../src/runtime/node.ts';
import { TEST_BACKENDS, useBackend } from '../support/backend.ts';
import { failsWith } from '../support/errors.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { floats, writeTiny } from '../support/tiny-model.ts';

const test = suite('kernels that a backend lacks');

/** What no op of the graph executor asks for: gradients, and functions that programs call. */
const OF_NO_OP = [
  'Conv2DBackpropFilter',
  'DepthwiseConv2dNativeBackpropFilter',
  'DepthwiseConv2dNativeBackpropInput',
  'Draw',
  'UnsortedSegmentSum',
];

const registered = (backend: string) => tf.getKernelsForBackend(backend).map(({ kernelName }) => kernelName);
const BROUGHT = Object.fromEntries(TEST_BACKENDS.map((backend) => [backend, new Set(registered(backend))]));

for (const backend of TEST_BACKENDS) {
  test(`what is said of ${backend} is what its package brings`, () => {
    const lacks = [...SCARCE_KERNELS].filter((kernel) => !BROUGHT[backend]?.has(kernel));
    assert.equal(lacks.toSorted(), [...BACKENDS[backend].lacks].sort());
  });
}

test('what the cpu backend has and wasm has not is either known or asked for by no op', () => {
  const gap = [...(BROUGHT.cpu ?? [])].filter((kernel) => !BROUGHT.wasm?.has(kernel) && !SCARCE_KERNELS.has(kernel));
  assert.equal(gap.toSorted(), OF_NO_OP);
});

test('which backends can compute an op: those that have its kernel, or are given it', () => {
  assert.equal(backendsFor('MatMul'), ['native', 'wasm', 'cpu']);
  assert.equal(backendsFor('Einsum'), ['native', 'wasm', 'cpu']);
  assert.equal(backendsFor('FFT'), ['native', 'cpu']);
  assert.equal(backendsFor('RaggedGather'), ['cpu']);
});

test('inspect says what a graph needs that not every backend has', () => {
  const graph = Graph.create();
  const x = graph.add({ name: 'x', op: 'Placeholder', attributes: { dtype: attr.type('float32') } });
  for (const name of ['a', 'b']) graph.add({ name, op: 'RFFT', inputs: [x] });
  graph.add({ name: 'c', op: 'Einsum', inputs: [x] });
  const { notes } = inspectGraph(graph);
  assert.equal(
    notes.filter((note) => /backends/.test(note)),
    ['it runs only on backends that have RFFT: native, cpu'],
  );
});

/** Writes `y = op(x)`, or `op(x, weight)`. Returns its folder. */
function writeModel(op: string, attributes: Parameters<Graph['add']>[0]['attributes'], hasWeight: boolean): string {
  const folder = temporaryFolder();
  const graph = Graph.create();
  const float = { dtype: attr.type('float32') };
  const x = graph.add({ name: 'x', op: 'Placeholder', attributes: { ...float, shape: attr.shape([2, 3]) } });
  const weight = graph.add({ name: 'weight', op: 'Const', attributes: float });
  graph.add({ name: 'y', op, inputs: hasWeight ? [x, weight] : [x], attributes });
  graph.setSignature({ inputs: { x: { name: 'x:0' } }, outputs: { y: { name: 'y:0' } } });
  writeTiny(folder, graph, [floats('weight', [3, 2], [1, 2, 3, 4, 5, 6])]);
  return folder;
}

test('a foreign graph with an Einsum runs on every backend alike', async () => {
  const folder = writeModel('Einsum', { equation: attr.string('ij,jk->ki') }, true);
  for (const backend of TEST_BACKENDS) {
    const model = await loadModel(folder, { backend });
    const { y } = model.execute({ x: tf.tensor2d([1, 0, 1, 0, 1, 0], [2, 3]) });
    assert.equal(y?.arraySync(), [
      [6, 3],
      [8, 4],
    ]);
    model.dispose();
  }
});

test('an op without a kernel is refused before anything is read, with the backends that have it', async () => {
  const folder = writeModel('FFT', {}, false);
  const read: number[] = [];
  const onProgress = (done: number) => void read.push(done);
  const refused =
    /needs FFT \(node "y"\), which the wasm backend does not have; use --backend native or --backend cpu$/;
  await failsWith('backend', refused, () => loadModel(folder, { backend: 'wasm', onProgress }));
  assert.equal(read, []);
  await useBackend('cpu');
  (await loadModel(folder, { backend: 'cpu' })).dispose();
});

test('without a choice the next backend that has all ops is taken, and its line says why', async () => {
  const platform = { ...NODE_PLATFORM, backends: WEB_BACKENDS };
  const lines: string[] = [];
  const choose = async (op: string) => {
    const model = await loadModelOn(platform, writeModel(op, {}, false), { log: (line) => lines.push(line) });
    model.dispose();
    return model.backend.name;
  };
  assert.equal([await choose('FFT'), await choose('Relu')], ['cpu', 'wasm']);
  assert.equal(lines, [
    'backend: cpu on CPU; the first that works (wasm: it has no FFT, which the model needs)',
    'backend: wasm on CPU; the first choice',
  ]);
});

test.run();
