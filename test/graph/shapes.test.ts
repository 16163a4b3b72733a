import * as tfc from '@tensorflow/tfjs-converter';
import * as tf from '@tensorflow/tfjs-core';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import {
  attr,
  dimsAt,
  type Endpoint,
  endpoint,
  formatEndpoint,
  Graph,
  inferShapes,
  lint,
  registerGraphOp,
  type ShapeCall,
} from '../../src/graph/index.ts';
import { artifactsOf } from '../attention/artifacts.ts';
import { SIZE } from '../attention/spelling-builder.ts';
import { SPELLINGS } from '../attention/spellings.ts';
import { useBackend } from '../support/backend.ts';
import { OP_ZOO, type ZooRow } from './op-zoo.ts';

const test = suite('shape inference');

const FLOAT = { dtype: attr.type('float32') };

/** A graph of one op. */
function zooGraph(row: ZooRow): { graph: Graph; feeds: Map<string, readonly number[]> } {
  const graph = Graph.create();
  const feeds = new Map<string, readonly number[]>();
  const inputs = row.inputs.map((input, index): Endpoint => {
    const name = `input${index}`;
    if ('ints' in input) {
      const { ints: values, shape = [values.length], dtype = 'int32' } = input;
      return graph.addConstant(name, { dtype, values, shape });
    }
    feeds.set(name, input.feed);
    return graph.add({ name, op: 'Placeholder', attributes: FLOAT });
  });
  graph.add({ name: 'op', op: row.op, inputs, attributes: { T: attr.type('float32'), ...row.attributes } });
  return { graph, feeds };
}

/** What TF.js says the shapes are. */
async function executedShapes(
  graph: Graph,
  weights: ReadonlyMap<string, Float32Array>,
  feeds: ReadonlyMap<string, readonly number[]>,
  names: readonly string[],
): Promise<(readonly number[])[]> {
  const model = await tfc.loadGraphModel(tf.io.fromMemory(artifactsOf(graph, weights)));
  const inputs = Object.fromEntries([...feeds].map(([name, shape]) => [name, tf.ones([...shape])]));
  const results = [model.execute(inputs, [...names])].flat();
  const shapes = results.map((result) => (result instanceof tf.Tensor ? result.shape : []));
  tf.dispose([results, inputs]);
  model.dispose();
  return shapes;
}

test.before(async () => {
  await useBackend('cpu');
});

for (const row of OP_ZOO) {
  const label = row.note ? `${row.op} (${row.note})` : row.op;
  test(`${label}: the shape that TF.js gives`, async () => {
    const { graph, feeds } = zooGraph(row);
    const outputs = Array.from({ length: row.outputs ?? 1 }, (_, index) => endpoint('op', index));
    const executed = await executedShapes(graph, new Map(), feeds, outputs.map(formatEndpoint));
    const table = inferShapes(graph, Object.fromEntries(feeds));
    assert.equal(
      outputs.map((output) => table.shape(output) ?? table.reason(output)),
      executed,
    );
  });

  test(`${label}: throws nothing and has a reason where the inputs are not known`, () => {
    const { graph } = zooGraph(row);
    const known = inferShapes(graph, Object.fromEntries(zooGraph(row).feeds)).dims(endpoint('op'));
    const table = inferShapes(graph);
    const dims = table.dims(endpoint('op'));
    if (table.shape(endpoint('op'))) assert.equal(dims, known);
    else assert.ok(table.reason(endpoint('op')));
    dims?.forEach((size, axis) => {
      assert.ok(size === undefined || size === known?.[axis], `${size} at ${axis}, in truth ${known}`);
    });
  });
}

for (const { name, build } of SPELLINGS) {
  test(`every node of the spelling ${name} has the shape that TF.js gives`, async () => {
    const { graph, weights } = build();
    const feeds = new Map<string, readonly number[]>([
      ['sample', [SIZE.batch, SIZE.rows, SIZE.columns, SIZE.channels]],
      ...(graph.node('context') ? [['context', [SIZE.batch, 7, 6]] as const] : []),
    ]);
    const names = [...graph.nodes].filter(({ op }) => op !== 'Const').map((node) => node.name);
    const executed = await executedShapes(graph, weights, feeds, names);
    const table = inferShapes(graph, Object.fromEntries(feeds));
    assert.equal(
      names.map((node) => table.shape(endpoint(node))),
      executed,
    );
  });
}

/** x [?, ?, 6] reshaped to [batch, tokens * 2, 3] by arithmetic on its own shape. */
function computedReshape(): Graph {
  const graph = Graph.create();
  const int = (value: number, shape: number[] = [1]) =>
    graph.addConstant(graph.uniqueName('c'), { dtype: 'int32', values: [value], shape });
  const x = graph.add({ name: 'x', op: 'Placeholder', attributes: { ...FLOAT, shape: attr.shape([-1, -1, 6]) } });
  const shape = graph.add({ name: 'shape', op: 'Shape', inputs: [x] });
  const pick = (name: string, at: number) =>
    graph.add({
      name,
      op: 'StridedSlice',
      inputs: [shape, int(at), int(at + 1), int(1)],
      attributes: { shrink_axis_mask: attr.int(1) },
    });
  const batch = pick('batch', 0);
  const twice = graph.add({ name: 'twice', op: 'Mul', inputs: [pick('tokens', 1), int(2, [])] });
  const target = graph.add({ name: 'target', op: 'Pack', inputs: [batch, twice, int(3, [])] });
  graph.add({ name: 'out', op: 'Reshape', inputs: [x, target] });
  return graph;
}

test('arithmetic on shapes is followed into a reshape', () => {
  const table = inferShapes(computedReshape(), { x: [2, 5, 6] });
  assert.equal(table.shape(endpoint('out')), [2, 10, 3]);
  assert.equal(table.values(endpoint('target')), [2, 10, 3]);
});

test('what is known of a shape is kept where the rest is not', () => {
  const table = inferShapes(computedReshape());
  assert.equal(table.dims(endpoint('out')), [undefined, undefined, 3]);
  assert.equal(table.partialValues(endpoint('target')), [undefined, undefined, 3]);
  assert.is(table.values(endpoint('target')), undefined);
  assert.is(table.reason(endpoint('out')), 'the input "x" takes any size');
});

test('one unknown size is solved from the number of elements', () => {
  const graph = Graph.create();
  const x = graph.add({ name: 'x', op: 'Placeholder', attributes: FLOAT });
  const dynamic = graph.add({ name: 'n', op: 'Placeholder', attributes: { ...FLOAT, shape: attr.shape([1]) } });
  const fixed = graph.addConstant('fixed', { dtype: 'int32', values: [4, 3], shape: [2] });
  const axis = graph.addConstant('axis', { dtype: 'int32', values: [0], shape: [] });
  const target = graph.add({ name: 'target', op: 'ConcatV2', inputs: [dynamic, fixed, axis] });
  graph.add({ name: 'out', op: 'Reshape', inputs: [x, target] });
  assert.equal(inferShapes(graph, { x: [5, 12] }).shape(endpoint('out')), [5, 4, 3]);
});

test('an op without a rule is a reason, not an error, and is named by everything behind it', () => {
  const graph = Graph.create();
  const x = graph.add({ name: 'x', op: 'Placeholder', attributes: FLOAT });
  const odd = graph.add({ name: 'odd', op: 'FourierOfSomeone', inputs: [x] });
  const after = graph.add({ name: 'after', op: 'Relu', inputs: [odd] });
  graph.add({ name: 'last', op: 'AddV2', inputs: [x, after] });
  const table = inferShapes(graph, { x: [2, 2] });
  const reason = '"odd" is a FourierOfSomeone, for which there is no shape rule';
  assert.is(table.shape(endpoint('last')), undefined);
  assert.is(table.reason(endpoint('last')), reason);
  assert.is(table.reason(endpoint('x')), undefined);
});

test('a constant without values tells its rank, and is the reason', () => {
  const graph = Graph.fromJson({
    format: 'graph-model',
    modelTopology: {
      node: [
        { name: 'x', op: 'Placeholder', attr: {} },
        { name: 'target', op: 'Const', attr: {} },
        { name: 'out', op: 'Reshape', input: ['x', 'target'] },
      ],
    },
    weightsManifest: [{ paths: ['a.bin'], weights: [{ name: 'target', shape: [3], dtype: 'int32' }] }],
  });
  const table = inferShapes(graph, { x: [2, 6] });
  assert.equal(table.dims(endpoint('out')), [undefined, undefined, undefined]);
  assert.is(table.reason(endpoint('out')), 'the values of the constant "target" are not in the document');
});

test('a reshape that cannot be is a reason', () => {
  const graph = Graph.create();
  const x = graph.add({ name: 'x', op: 'Placeholder', attributes: FLOAT });
  const target = graph.addConstant('target', { dtype: 'int32', values: [4, 3], shape: [2] });
  graph.add({ name: 'out', op: 'Reshape', inputs: [x, target] });
  const table = inferShapes(graph, { x: [5] });
  assert.is(table.shape(endpoint('out')), undefined);
  assert.match(table.reason(endpoint('out')) ?? '', /"out": cannot reshape 5 elements \[5\] to \[4,3\]/);
});

test('shapes that contradict the graph are refused', () => {
  const graph = computedReshape();
  assert.throws(() => inferShapes(graph, { y: [1] }), /input "y": is not an input of the graph/);
  assert.throws(() => inferShapes(graph, { shape: [1] }), /input "shape": is not an input of the graph/);
  assert.throws(() => inferShapes(graph, { x: [2, 5, 7] }), /input "x": takes \[-1,-1,6\] \(-1: any\), not \[2,5,7\]/);
  assert.throws(() => inferShapes(graph, { x: [2, 5] }), /takes/);
});

test('an op of others is known once it is registered', () => {
  const graph = Graph.create();
  const x = graph.add({ name: 'x', op: 'Placeholder', attributes: { ...FLOAT, shape: attr.shape([2, 6]) } });
  graph.add({ name: 'halves', op: 'TestHalves', inputs: [x] });
  graph.add({ name: 'third', op: 'Identity', inputs: [endpoint('halves', 2)] });
  assert.match(inferShapes(graph).reason(endpoint('halves')) ?? '', /"halves" is a TestHalves, for which there is no/);
  assert.equal(lint(graph), []);
  const halves = (call: ShapeCall) => {
    const [rows, columns] = dimsAt(call, 0) ?? [];
    const half = { dims: [rows, columns && columns / 2] };
    return [half, half];
  };
  registerGraphOp({ op: 'TestHalves', shape: halves, outputs: 2 });
  assert.equal(inferShapes(graph).shape(endpoint('halves', 1)), [2, 3]);
  assert.equal(
    lint(graph).map(({ node, problem }) => `${node} ${problem}`),
    ['third reads output 2 of "halves", and TestHalves has 2'],
  );
  assert.throws(
    () => registerGraphOp({ op: 'MatMul' }),
    /op "MatMul": is an op of TensorFlow; give yours another name/,
  );
});

test.run();
