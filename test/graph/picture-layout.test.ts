import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type Attributes, attr, endpoint, Graph, inputLayout, outputLayout } from '../../src/graph/index.ts';

const test = suite('where the channels of pictures are');

const FLOAT = { dtype: attr.type('float32') };

/** What stands between a picture and the network behind it. */
interface Step {
  readonly op: string;
  readonly order?: readonly number[];
  /** The order is in the weights, which are not there. */
  readonly isLone?: boolean;
  readonly attributes?: Attributes;
  readonly filter?: readonly number[];
}

function graphOf(shape: readonly number[], steps: readonly Step[]): Graph {
  const graph = Graph.create();
  let last = graph.add({ name: 'x', op: 'Placeholder', attributes: { ...FLOAT, shape: attr.shape(shape) } });
  for (const [index, { op, order, isLone, attributes, filter }] of steps.entries()) {
    const name = `step${index}`;
    const inputs = [last];
    if (order && !isLone)
      inputs.push(graph.addConstant(`${name}/order`, { dtype: 'int32', values: order, shape: [4] }));
    if (isLone || filter) inputs.push(graph.add({ name: `${name}/weight`, op: 'Const', attributes: FLOAT }));
    if (filter) {
      const weights = [{ name: `${name}/weight`, shape: filter, dtype: 'float32' as const }];
      graph.setWeightGroups([...graph.weightGroups, { paths: ['w.bin'], weights }]);
    }
    last = graph.add({ name, op, inputs, attributes });
  }
  graph.add({ name: 'y', op: 'Identity', inputs: [last] });
  return graph;
}

const TURN = { op: 'Transpose', order: [0, 2, 3, 1] };
const BACK = { op: 'Transpose', order: [0, 3, 1, 2] };
const CONVOLUTION = { op: 'Conv2D', attributes: { data_format: attr.string('NHWC') } };
const CHANNELS_FIRST = { op: 'Conv2D', attributes: { data_format: attr.string('NCHW') } };

const INPUTS: Readonly<Record<string, readonly [shape: number[], steps: Step[], layout: 'nhwc' | 'nchw']>> = {
  'a convolution': [[1, 4, 8, 8], [CONVOLUTION], 'nhwc'],
  'a convolution behind a cast and a scale': [[1, 8, 8, 4], [{ op: 'Cast' }, { op: 'Mul' }, CONVOLUTION], 'nhwc'],
  'a transpose to channels last': [[1, 4, 8, 8], [TURN, CONVOLUTION], 'nchw'],
  'a transpose behind a scale and a border': [[1, 4, 8, 8], [{ op: 'Mul' }, { op: 'PadV2' }, TURN], 'nchw'],
  'a transpose to channels first': [[1, 8, 8, 4], [BACK, CHANNELS_FIRST], 'nhwc'],
  'a convolution of channels first': [[1, 8, 8, 8], [CHANNELS_FIRST], 'nchw'],
  'a transpose of an order that is not known, by the filter': [
    [1, 4, 64, 64],
    [
      { op: 'Transpose', isLone: true },
      { ...CONVOLUTION, filter: [3, 3, 4, 16] },
    ],
    'nchw',
  ],
  'the same of channels last': [
    [1, 64, 64, 4],
    [
      { op: 'Transpose', isLone: true },
      { ...CHANNELS_FIRST, filter: [3, 3, 4, 16] },
    ],
    'nhwc',
  ],
  'nothing but its sizes, channels first': [[-1, 4, -1, -1], [{ op: 'Reshape' }], 'nchw'],
  'nothing but its sizes, channels last': [[-1, -1, -1, 4], [{ op: 'Reshape' }], 'nhwc'],
  'nothing but sizes that are those of latents in one order': [[1, 4, 8, 8], [{ op: 'Reshape' }], 'nchw'],
  'nothing but sizes that could be either': [[1, 8, 8, 8], [{ op: 'Reshape' }], 'nhwc'],
  'a transpose of rows and columns': [[1, 8, 8, 4], [{ op: 'Transpose', order: [0, 2, 1, 3] }], 'nhwc'],
};

for (const [what, [shape, steps, layout]] of Object.entries(INPUTS)) {
  test(`an input is told by ${what}`, () => assert.is(inputLayout(graphOf(shape, steps), 'x'), layout));
}

test('an output is told by what is before it', () => {
  const of = (...steps: Step[]) => outputLayout(graphOf([1, 8, 8, 4], steps), endpoint('y'), 'nhwc');
  assert.equal([of(CONVOLUTION, BACK), of(CONVOLUTION), of(CHANNELS_FIRST, TURN)], ['nchw', 'nhwc', 'nhwc']);
  assert.equal([of(CONVOLUTION, BACK, { op: 'Mul' }), of(CHANNELS_FIRST, { op: 'Tanh' })], ['nchw', 'nchw']);
  assert.is(outputLayout(graphOf([1, 8, 8, 4], [{ op: 'Softmax' }]), endpoint('y'), 'nchw'), 'nchw');
});

test.run();
