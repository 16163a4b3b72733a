import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { SlothfulError } from '../../src/errors.ts';
import { Graph, locateWeights } from '../../src/graph/index.ts';

const test = suite('model.json');

const node = (fields: object) => ({ modelTopology: { node: [{ name: 'n', op: 'Relu', ...fields }] } });
const weight = (fields: object) => ({
  modelTopology: { node: [] },
  weightsManifest: [{ paths: ['a.bin'], weights: [{ name: 'w', shape: [2], dtype: 'float32', ...fields }] }],
});

const TWICE = { paths: ['a.bin'], weights: [{ name: 'w', shape: [2], dtype: 'float32' }] };
const HOSTILE: ReadonlyArray<readonly [title: string, value: unknown, message: RegExp]> = [
  ['a list', [], /m\.json: is not a JSON object/],
  ['a layers model', { format: 'layers-model', modelTopology: { node: [] } }, /has the format "layers-model"/],
  ['no topology', { format: 'graph-model' }, /no modelTopology\.node list/],
  ['a node without a name', { modelTopology: { node: [{ op: 'Relu' }] } }, /node 0: has no name or no op/],
  ['a node that is a text', { modelTopology: { node: ['x'] } }, /node 0/],
  ['an input list of numbers', node({ input: [1] }), /node 0 "n": has an input list/],
  ['an input that cannot be read', node({ input: ['a:b'] }), /cannot read the input "a:b"/],
  ['attributes that are a list', node({ attr: [] }), /attributes that are not an object/],
  ['an attribute of the wrong type', node({ attr: { k: { b: 'yes' } } }), /an attribute "k" that cannot be read/],
  ['a shape with a size that is an object', node({ attr: { k: { shape: { dim: [{ size: {} }] } } } }), /attribute "k"/],
  [
    'a manifest that is an object',
    { modelTopology: { node: [] }, weightsManifest: {} },
    /weightsManifest that is not a list/,
  ],
  [
    'a weight that is listed twice',
    { modelTopology: { node: [] }, weightsManifest: [TWICE, TWICE] },
    /weightsManifest: lists the weight "w" twice/,
  ],
  [
    'versions that are nothing',
    { modelTopology: { node: [], versions: null } },
    /modelTopology\.versions that are not an object/,
  ],
  ['a weight with a negative size', weight({ shape: [-1] }), /no usable shape: \[-1\]/],
  ['a weight with a fraction', weight({ shape: [1.5] }), /no usable shape/],
  ['a weight of a dtype that TF.js does not know', weight({ dtype: 'float64' }), /dtype "float64"/],
  ['an unknown quantization', weight({ quantization: { dtype: 'int4' } }), /unknown quantization/],
];

for (const [title, value, message] of HOSTILE) {
  test(`refuses ${title}`, () => {
    try {
      Graph.fromJson(value, 'm.json');
      assert.unreachable('it was read');
    } catch (error) {
      assert.instance(error, SlothfulError);
      assert.match(String(error), message);
    }
  });
}

test('says where the JSON is broken', () => {
  assert.throws(() => Graph.parse('{"format": ', 'm.json'), /m\.json: is not JSON/);
});

test('a prototype in disguise is data', () => {
  const graph = Graph.parse('{"modelTopology":{"node":[{"name":"n","op":"Relu","attr":{"__proto__":{"b":true}}}]}}');
  assert.equal(Object.keys(graph.node('n')?.attributes ?? {}), []);
  assert.is(Object.getPrototypeOf(graph.node('n')?.attributes), Object.prototype);
});

test('locates weights by their stored sizes', () => {
  const graph = Graph.fromJson({
    modelTopology: { node: [] },
    weightsManifest: [
      {
        paths: ['a', 'b'],
        weights: [
          { name: 'half', shape: [3], dtype: 'float32', quantization: { dtype: 'float16' } },
          { name: 'flag', shape: [], dtype: 'bool' },
          { name: 'last', shape: [2, 2], dtype: 'int32' },
        ],
      },
    ],
  });
  const found = [...locateWeights(graph.weightGroups).values()].map(({ offset, bytes }) => [offset, bytes]);
  assert.equal(found, [
    [0, 6],
    [6, 1],
    [7, 16],
  ]);
});

test.run();
