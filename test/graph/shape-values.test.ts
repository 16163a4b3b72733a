import * as tfc from '@tensorflow/tfjs-converter';
import * as tf from '@tensorflow/tfjs-core';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type Attributes, attr, endpoint, Graph, inferShapes } from '../../src/graph/index.ts';
import { artifactsOf } from '../attention/artifacts.ts';
import { useBackend } from '../support/backend.ts';

const test = suite('values that shapes are made of');

interface Constant {
  readonly values: readonly number[];
  readonly shape: readonly number[];
  readonly dtype: 'float32' | 'int32' | 'bool';
}

const floats = (...values: number[]): Constant => ({ values, shape: [values.length], dtype: 'float32' });
const ints = (...values: number[]): Constant => ({ values, shape: [values.length], dtype: 'int32' });
const scalar = (value: number): Constant => ({ values: [value], shape: [], dtype: 'int32' });
const bools = (...values: number[]): Constant => ({ values, shape: [values.length], dtype: 'bool' });
const shaped = (shape: readonly number[], constant: Constant): Constant => ({ ...constant, shape });

type Row = readonly [op: string, inputs: readonly Constant[], attributes?: Attributes];

const COLUMN = shaped([2, 1], floats(3, -2));
const LINE = shaped([1, 3], floats(2, 5, 4));

const slice = (from: number, to: number, step: number, masks: Attributes = {}): Row => [
  'StridedSlice',
  [ints(10, 11, 12, 13, 14), ints(from), ints(to), ints(step)],
  { begin_mask: attr.int(0), end_mask: attr.int(0), ...masks },
];

/** Ops of constants. What their values are is asked of TF.js itself. */
const ROWS: readonly Row[] = [
  ...['Add', 'AddV2', 'Atan2', 'DivNoNan', 'Maximum', 'Minimum', 'Mul', 'RealDiv', 'SquaredDifference', 'Sub'].map(
    (op): Row => [op, [COLUMN, LINE]],
  ),
  ...['Equal', 'NotEqual', 'Greater', 'GreaterEqual', 'Less', 'LessEqual'].map(
    (op): Row => [op, [floats(1, 2, 3), floats(2, 2, 2)]],
  ),
  ['DivNoNan', [floats(1, 2), floats(0, 4)]],
  ['FloorDiv', [ints(7, -7, 8), ints(2, 2, 4)]],
  ['FloorMod', [ints(7, -7, 8), ints(3, 3, 4)]],
  ['Pow', [floats(2, 3), floats(3, 2)]],
  ['LogicalAnd', [bools(0, 0, 1, 1), bools(0, 1, 0, 1)]],
  ['LogicalOr', [bools(0, 0, 1, 1), bools(0, 1, 0, 1)]],
  ['LogicalNot', [bools(0, 1)]],
  ...['Abs', 'Ceil', 'Exp', 'Floor', 'Neg', 'OnesLike', 'Sign', 'Square', 'ZerosLike'].map(
    (op): Row => [op, [floats(-1.5, 0, 2.25)]],
  ),
  ...['Log', 'Reciprocal', 'Rsqrt', 'Sqrt'].map((op): Row => [op, [floats(0.25, 1, 4)]]),
  ['Sub', [shaped([2, 2], floats(1, 2, 3, 4)), floats(10, 20)]],
  ['Sub', [floats(10, 20), shaped([2, 2], floats(1, 2, 3, 4))]],
  ['Sub', [shaped([2, 1, 2], floats(1, 2, 3, 4)), shaped([3, 1], floats(10, 20, 30))]],
  ['Sub', [shaped([], floats(7)), shaped([2, 3], floats(1, 2, 3, 4, 5, 6))]],
  ['SelectV2', [bools(1, 0, 1), floats(1, 2, 3), floats(4, 5, 6)]],
  ...['Max', 'Mean', 'Min', 'Prod', 'Sum'].map((op): Row => [op, [floats(3, -2, 5), ints(0)]]),
  ['Prod', [shaped([2, 2], floats(2, 3, 5, 7)), ints(0, 1)], { keep_dims: attr.bool(true) }],
  ['All', [bools(1, 0, 1), ints(0)]],
  ['Any', [bools(1, 0, 1), ints(0)]],
  ['Range', [scalar(2), scalar(9), scalar(3)], { Tidx: attr.type('int32') }],
  ['Range', [scalar(9), scalar(2), scalar(-3)], { Tidx: attr.type('int32') }],
  ['Fill', [ints(2, 3), scalar(7)]],
  ['Slice', [ints(10, 11, 12, 13), ints(1), ints(2)]],
  ['Slice', [ints(10, 11, 12, 13), ints(1), ints(-1)]],
  ['GatherV2', [ints(10, 11, 12), ints(2, 0, 2), scalar(0)]],
  slice(1, 4, 1),
  slice(0, 5, 2),
  slice(-3, -1, 1),
  slice(4, 0, -1),
  slice(4, 0, -2),
  slice(0, 9, 1),
  slice(2, 0, 1, { end_mask: attr.int(1) }),
  slice(2, 4, 1, { begin_mask: attr.int(1) }),
  slice(2, 2, -1, { begin_mask: attr.int(1) }),
  slice(3, 0, -1, { end_mask: attr.int(1) }),
  slice(-2, 0, 1, { shrink_axis_mask: attr.int(1) }),
];

test.before(() => useBackend('cpu'));

for (const [op, inputs, attributes = {}] of ROWS) {
  const shown = inputs.map(({ values, shape }) => `[${values}]${shape.length === 1 ? '' : ` as [${shape}]`}`);
  test(`${op} of ${shown.join(', ')} ${Object.keys(attributes)}: what TF.js computes`, async () => {
    const graph = Graph.create();
    const made = inputs.map((constant, index) => graph.addConstant(`c${index}`, constant));
    const dtype = inputs[0]?.dtype ?? 'float32';
    graph.add({ name: 'op', op, inputs: made, attributes: { T: attr.type(dtype), ...attributes } });
    const model = await tfc.loadGraphModel(tf.io.fromMemory(artifactsOf(graph, new Map())));
    const result = model.execute({}, 'op');
    assert.ok(result instanceof tf.Tensor);
    if (!(result instanceof tf.Tensor)) return;
    const wanted = [...result.dataSync()];
    const table = inferShapes(graph, {});
    assert.equal(table.shape(endpoint('op')), result.shape);
    const values = table.values(endpoint('op')) ?? [];
    assert.is(values.length, wanted.length, 'how many are known');
    const off = values.map((value, index) => Math.abs(Number(value) - (wanted[index] ?? Number.NaN)));
    assert.ok(
      off.every((each) => each <= 1e-6),
      `${values} instead of ${wanted}`,
    );
    model.dispose();
  });
}

/** Inputs of these shapes, -1 where a size is not known, and what is told of an op that reads them. */
function dimsOf(op: string, shapes: readonly (readonly number[])[], attributes: Attributes = {}) {
  const graph = Graph.create();
  const inputs = shapes.map((shape, index) => {
    const own = { dtype: attr.type('float32'), shape: attr.shape(shape) };
    return graph.add({ name: `x${index}`, op: 'Placeholder', attributes: own });
  });
  const made = graph.add({ name: 'op', op, inputs, attributes });
  return inferShapes(graph).dims(made);
}

test('sizes that are not known: broadcast where the other side tells, and left open where not', () => {
  const sum = (...shapes: number[][]) => dimsOf('AddV2', shapes);
  assert.equal(sum([-1, 3], [5, 3]), [5, 3]);
  assert.equal(sum([5, 3], [-1, 3]), [5, 3]);
  assert.equal(sum([-1, 3], [1, 3]), [undefined, 3]);
  assert.equal(sum([-1, 3], [3]), [undefined, 3]);
  assert.equal(sum([-1, 3], [2, -1, 1]), [2, undefined, 3]);
  assert.is(sum([-1, 3], [5, 4]), undefined);
});

test('products of vectors, and arguments along an axis that is not known, are not told', () => {
  for (const op of ['BatchMatMulV2', 'MatMul']) {
    assert.is(dimsOf(op, [[3, 4], [4]]), undefined);
    assert.is(dimsOf(op, [[4], [4, 3]]), undefined);
    assert.equal(
      dimsOf(op, [
        [3, 4],
        [4, 5],
      ]),
      [3, 5],
    );
  }
  assert.equal(dimsOf('ArgMax', [[3, 4], []]), [undefined]);
});

test('a window slides over its own padding', () => {
  const attributes = {
    strides: attr.ints([1, 2, 1, 1]),
    padding: attr.string('EXPLICIT'),
    explicit_paddings: attr.ints([0, 0, 1, 3, 2, 5, 0, 0]),
  };
  // As torch.nn.functional.conv2d of torch.nn.functional.pad(x, (2, 5, 1, 3)) with a stride of (2, 1).
  assert.equal(
    dimsOf(
      'Conv2D',
      [
        [1, 8, 6, 3],
        [3, 5, 3, 4],
      ],
      attributes,
    ),
    [1, 5, 9, 4],
  );
});

const vector = (name: string, shape: readonly number[]) => ({
  name,
  op: 'Placeholder',
  attributes: { dtype: attr.type('float32'), shape: attr.shape(shape) },
});

test('zeros and ones are known as values', () => {
  for (const [op, value] of [
    ['Zeros', 0],
    ['Ones', 1],
  ] as const) {
    const graph = Graph.create();
    const shape = graph.addConstant('shape', { dtype: 'int32', shape: [2], values: [2, 2] });
    const made = graph.add({ name: 'op', op, inputs: [shape] });
    assert.equal(inferShapes(graph).values(made), Array(4).fill(value));
  }
});

test('a slice with an ellipsis counts the axes that its entries take', () => {
  const graph = Graph.create();
  const x = graph.add(vector('x', [4, 5, 6, 7]));
  const int = (...values: number[]) =>
    graph.addConstant(graph.uniqueName('c'), { dtype: 'int32', shape: [values.length], values });
  // numpy: x[1, ..., None, 2:5]
  const attributes = {
    ellipsis_mask: attr.int(0b0010),
    new_axis_mask: attr.int(0b0100),
    shrink_axis_mask: attr.int(0b0001),
  };
  const inputs = [x, int(1, 0, 0, 2), int(2, 0, 0, 5), int(1, 1, 1, 1)];
  const made = graph.add({ name: 'op', op: 'StridedSlice', inputs, attributes });
  assert.equal(inferShapes(graph).dims(made), [5, 6, 1, 3]);
});

test.run();
