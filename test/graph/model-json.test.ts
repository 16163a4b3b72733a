import * as tfc from '@tensorflow/tfjs-converter';
import * as tf from '@tensorflow/tfjs-core';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { SlothfulError } from '../../src/errors.ts';
import { attr, Graph, locateWeights, readString, readStrings, readType } from '../../src/graph/index.ts';
import { useBackend } from '../support/backend.ts';

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

/** A number as the types of earlier converters are, texts as the values of their bytes. */
const asEarlier = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(asEarlier);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => {
      if (key === 'type' && typeof item === 'string') return [key, TYPE_NUMBERS[item] ?? item];
      if (key === 's' && typeof item === 'string') return [key, bytesOf(item)];
      if (key === 's' && Array.isArray(item)) return [key, item.map(bytesOf)];
      return [key, asEarlier(item)];
    }),
  );
};
const TYPE_NUMBERS: Readonly<Record<string, number>> = { DT_FLOAT: 1, DT_INT32: 3, DT_HALF: 19, DT_BOOL: 10 };
const bytesOf = (base64: string) => [...atob(base64)].map((char) => char.charCodeAt(0));

const CONVOLUTION = {
  strides: attr.ints([1, 1, 1, 1]),
  padding: attr.string('SAME'),
  data_format: attr.string('NHWC'),
  dilations: attr.ints([1, 1, 1, 1]),
};
const FUSED = { ...CONVOLUTION, fused_ops: attr.strings(['BiasAdd', 'Relu']), num_args: attr.int(1) };

function convolutionJson(): { modelTopology: { node: { attr: Record<string, unknown> }[] } } {
  const graph = Graph.create();
  const float = { dtype: attr.type('float32') };
  const inputs = ['x', 'filter', 'bias'].map((name) => graph.add({ name, op: 'Placeholder', attributes: float }));
  graph.add({ name: 'y', op: '_FusedConv2D', inputs, attributes: { T: { type: 'DT_HALF' }, ...FUSED } });
  return JSON.parse(JSON.stringify(graph.toJson()));
}

test.before(() => useBackend('cpu'));

test('texts as lists of bytes and types as numbers, as converters before 2.0 wrote them', async () => {
  const now = convolutionJson();
  const earlier = asEarlier(now);
  assert.equal((earlier as typeof now).modelTopology.node.at(-1)?.attr.padding, { s: [83, 65, 77, 69] });
  const graph = Graph.fromJson(earlier);
  const { attributes = {} } = graph.node('y') ?? {};
  assert.is(readString(attributes, 'padding'), 'SAME');
  assert.equal(readStrings(attributes, 'fused_ops'), ['BiasAdd', 'Relu']);
  assert.equal(
    [readType(attributes, 'T'), readType(graph.node('x')?.attributes ?? {}, 'dtype')],
    ['float32', 'float32'],
  );
  assert.equal(attributes.padding, attr.string('SAME'), 'written as TF.js of today writes it');
  const model = await tfc.loadGraphModel(tf.io.fromMemory({ modelTopology: graph.topology(), weightSpecs: [] }));
  const feeds = { x: tf.ones([1, 2, 2, 1]), filter: tf.ones([1, 1, 1, 1]), bias: tf.tensor1d([-3]) };
  const [result] = [model.execute(feeds)].flat();
  assert.equal(result && [...result.dataSync()], [0, 0, 0, 0], 'the activation was read too');
});

test('words of attributes as they are, an equation, and constants of bytes', () => {
  const text = (s: unknown) => {
    const graph = Graph.fromJson(node({ attr: { padding: { s } } }));
    return readString(graph.node('n')?.attributes ?? {}, 'padding');
  };
  const plain = ['SAME', 'VALID', 'NHWC', 'NCHW', 'REFLECT', 'abc,acd->abd'];
  assert.equal(plain.map(text), plain);
  assert.equal([text('U0FNRQ=='), text([])], ['SAME', '']);
  const tensor = { dtype: 3, tensorShape: { dim: [{ size: 2 }] }, tensorContent: [1, 0, 0, 0, 2, 0, 0, 0] };
  const graph = Graph.fromJson({ modelTopology: { node: [{ name: 'n', op: 'Const', attr: { value: { tensor } } }] } });
  assert.equal(graph.constant('n')?.values, [1, 2]);
});

test('lists that are not bytes are no text', () => {
  for (const s of [[256], [-1], [1.5], ['S'], {}, 7, true]) {
    assert.throws(
      () => Graph.fromJson(node({ attr: { padding: { s } } })),
      /an attribute "padding" that cannot be read/,
    );
    assert.throws(() => Graph.fromJson(node({ attr: { padding: { list: { s: [s] } } } })), /that cannot be read/);
  }
});

test('what is null is not there', () => {
  const graph = Graph.fromJson(node({ input: null, attr: { T: { type: 1, list: null, s: null }, U: null } }));
  assert.equal(graph.node('n')?.attributes, { T: { type: 1 } });
  assert.is(Graph.fromJson(node({ attr: null })).size, 1);
});

test('a graph by itself is the topology of a model', () => {
  const graph = Graph.fromJson({ node: [{ name: 'n', op: 'Relu' }], versions: { producer: 27 } });
  assert.is(graph.size, 1);
  assert.equal(graph.topology().versions, { producer: 27 });
});

test('a signature in the metadata, where converters before 3.0 wrote it', () => {
  const signature = { outputs: { y: { name: 'n:0' } } };
  const graph = Graph.fromJson({ ...node({}), userDefinedMetadata: { signature, other: 1 } });
  assert.equal([graph.signature, graph.metadata], [signature, { other: 1 }]);
  assert.equal(graph.toJson().signature, signature);
});

test.run();
