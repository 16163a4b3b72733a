import * as tf from '@tensorflow/tfjs-core';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { attr, Graph, type Pass } from '../../src/graph/index.ts';
import { loadModel as loadInBrowser } from '../../src/runtime/index.ts';
import { loadModel } from '../../src/runtime/node.ts';
import { failsWith } from '../support/errors.ts';
import { serveFolder } from '../support/server.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { floats, ints, writeTiny } from '../support/tiny-model.ts';

const test = suite('loading a model that is not a UNet');

const root = temporaryFolder();
const WEIGHTS = [
  floats('weight', [2, 3], [1, 2, 3, 4, 5, 6]),
  floats('bias', [3], [10, 20, 30]),
  floats('table', [4, 3], [0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3]),
  floats('one', [], [1]),
  ints('axis', [], [0]),
];
writeTiny(root, linearGraph(), WEIGHTS);

/**
 * A linear layer with an embedding: `y = (x weight + bias) scale + table[ids]`, and what it is without the embedding.
 * `scale` is 1 where it is not fed.
 */
function linearGraph(): Graph {
  const graph = Graph.create();
  const float = { dtype: attr.type('float32') };
  const int = { dtype: attr.type('int32') };
  const constant = (name: string, attributes = float) => graph.add({ name, op: 'Const', attributes });
  const x = graph.add({ name: 'x_node', op: 'Placeholder', attributes: { ...float, shape: attr.shape([-1, 2]) } });
  const ids = graph.add({ name: 'ids', op: 'Placeholder', attributes: { ...int, shape: attr.shape([-1]) } });
  const scale = graph.add({
    name: 'scale',
    op: 'PlaceholderWithDefault',
    inputs: [constant('one')],
    attributes: { ...float, shape: attr.shape([]) },
  });
  const product = graph.add({ name: 'product', op: 'MatMul', inputs: [x, constant('weight')] });
  const biased = graph.add({ name: 'biased', op: 'AddV2', inputs: [product, constant('bias')] });
  const layer = graph.add({ name: 'layer', op: 'Mul', inputs: [biased, scale] });
  const rows = graph.add({ name: 'rows', op: 'GatherV2', inputs: [constant('table'), ids, constant('axis', int)] });
  graph.add({ name: 'sum', op: 'AddV2', inputs: [layer, rows] });
  graph.setSignature({
    inputs: { x: { name: 'x_node:0' }, ids: { name: 'ids:0' } },
    outputs: { y: { name: 'sum:0' }, hidden: { name: 'layer:0' } },
  });
  graph.setMetadata({ kind: 'test' });
  return graph;
}

const X = () => tf.tensor2d([1, 0, 0, 1], [2, 2]);
const IDS = () => tf.tensor1d([3, 1], 'int32');
const HIDDEN = [
  [11, 22, 33],
  [14, 25, 36],
];
const Y = HIDDEN.map((row, index) => row.map((value) => value + (index === 0 ? 3 : 1)));

for (const backend of ['cpu', 'wasm'] as const) {
  test(`inputs and outputs go by the signature on ${backend}, and all is freed`, async () => {
    const model = await loadModel(root, { backend });
    const before = tf.memory().numTensors;
    assert.equal(model.inputs, [
      { name: 'x', node: 'x_node', shape: [-1, 2], dtype: 'float32', optional: false },
      { name: 'ids', node: 'ids', shape: [-1], dtype: 'int32', optional: false },
      { name: 'scale', node: 'scale', shape: [], dtype: 'float32', optional: true },
    ]);
    assert.equal(model.outputs, [
      { name: 'y', tensor: 'sum' },
      { name: 'hidden', tensor: 'layer' },
    ]);
    assert.is(model.metadata.kind, 'test');
    assert.is(model.backend.name, backend);
    const inputs = { x: X(), ids: IDS() };
    const { y, hidden } = model.execute(inputs);
    assert.equal(y?.arraySync(), Y);
    assert.equal(hidden?.arraySync(), HIDDEN);
    const only = model.execute({ ...inputs, scale: 2 }, ['hidden']);
    assert.equal(Object.keys(only), ['hidden']);
    assert.equal(
      only.hidden?.arraySync(),
      HIDDEN.map((row) => row.map((value) => 2 * value)),
    );
    tf.dispose([y ?? [], hidden ?? [], only, inputs]);
    assert.is(tf.memory().numTensors, before);
    model.dispose();
    model.dispose();
    assert.is(tf.memory().numTensors, before - 5, 'the five weights');
    const late = () => tf.tidy(() => model.execute({ x: X(), ids: IDS() }));
    await failsWith('bad-input', /was disposed of; load it again/, late);
  });
}

test('inputs that do not fit are refused by name', async () => {
  const model = await loadModel(root, { backend: 'cpu' });
  const before = tf.memory().numTensors;
  const refusals: [message: RegExp, inputs: () => Record<string, tf.Tensor | number>, outputs?: string[]][] = [
    [/input "ids": is missing; feed "ids" int32 \[\?\]/, () => ({ x: X() })],
    [/input "z": is not an input of this model; it has "x" \[\?, 2\], "ids" \[\?\], "scale" \[\]/, () => ({ z: X() })],
    [/input "ids": is float32, and the model takes int32/, () => ({ x: X(), ids: tf.tensor1d([0]) })],
    [/input "x": is \[3, 1\], and the model takes \[\?, 2\]$/, () => ({ x: tf.zeros([3, 1]), ids: IDS() })],
    [/input "x": is a number; feed a tensor/, () => ({ x: 1, ids: IDS() })],
    [/input "ids": is 0.5, and this model takes whole numbers/, () => ({ x: X(), ids: 0.5 })],
    [/output "z": is not an output of this model; it has "y", "hidden"/, () => ({ x: X(), ids: IDS() }), ['z']],
  ];
  for (const [message, inputs, outputs] of refusals) {
    await failsWith('bad-input', message, () => tf.tidy(() => model.execute(inputs(), outputs)));
  }
  const unequal = () => tf.tidy(() => model.execute({ x: X(), ids: tf.tensor1d([0, 1, 2], 'int32') }));
  await failsWith('bad-graph', /model\.json: TF\.js failed while it ran/, unequal);
  assert.is(tf.memory().numTensors, before);
  model.dispose();
});

test('without a signature inputs and outputs go by their nodes', async () => {
  const folder = temporaryFolder();
  const graph = Graph.create();
  const x = graph.add({ name: 'x', op: 'Placeholder', attributes: { dtype: attr.type('float32') } });
  graph.add({ name: 'negative', op: 'Neg', inputs: [x] });
  graph.add({ name: 'square', op: 'Square', inputs: [x] });
  writeTiny(folder, graph, []);
  const model = await loadModel(folder, { backend: 'cpu' });
  const results = tf.tidy(() => {
    const { negative, square } = model.execute({ x: tf.tensor1d([2, 3]) });
    return [negative?.arraySync(), square?.arraySync()];
  });
  assert.equal(results, [
    [-2, -3],
    [4, 9],
  ]);
  model.dispose();
});

test('an output that its op does not have is called by its name', async () => {
  const folder = temporaryFolder();
  const graph = linearGraph();
  graph.setSignature({ ...graph.signature, outputs: { y: { name: 'sum:1' } } });
  writeTiny(folder, graph, WEIGHTS);
  const model = await loadModel(folder, { backend: 'cpu' });
  const before = tf.memory().numTensors;
  await failsWith('bad-graph', /makes no tensor "sum:1"/, () => tf.tidy(() => model.execute({ x: X(), ids: IDS() })));
  assert.is(tf.memory().numTensors, before);
  model.dispose();
});

test('passes change it in memory, weights too, and the browser entry loads the same', async () => {
  const transposeWeight: Pass = {
    name: 'transposed',
    version: 1,
    options: {},
    apply(graph) {
      graph.editWeight('weight', { transpose: [1, 0] });
      const product = graph.expectNode('product', 'test');
      graph.replace({ ...product, attributes: { transpose_b: attr.bool(true) } });
    },
  };
  const server = await serveFolder(root, { range: true });
  for (const model of [
    await loadModel(root, { backend: 'cpu', passes: [transposeWeight] }),
    await loadInBrowser(`${server.url}/model.json`, { backend: 'cpu', passes: [transposeWeight] }),
  ]) {
    const y = tf.tidy(() => model.execute({ x: X(), ids: IDS() }).y?.arraySync());
    assert.equal(y, Y);
    assert.equal(model.metadata.passes, [{ name: 'transposed', version: 1, options: {} }]);
    assert.equal(model.graph.weight('weight')?.shape, [3, 2]);
    model.dispose();
  }
  await server.close();
});

test.run();
