import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { endpoint, Graph, isObject, type Pass, recordedPasses } from '../../src/graph/index.ts';

const test = suite('graph document');

/** As another exporter might write it: fields that we do not know, numeric types, a control input in front. */
function foreignModel() {
  return {
    format: 'graph-model',
    generatedBy: '2.15.0',
    convertedBy: 'TensorFlow.js Converter v4.22.0',
    vendorField: { kept: true },
    signature: { inputs: { x: { name: 'x:0' } }, outputs: { y: { name: 'y:0' } } },
    modelTopology: {
      versions: { producer: 1286 },
      library: {},
      node: [
        {
          name: 'x',
          op: 'Placeholder',
          attr: { dtype: { type: 1 }, shape: { shape: { dim: [{ size: '-1' }, { size: '4' }] } } },
        },
        {
          name: 'w',
          op: 'Const',
          attr: { dtype: { type: 'DT_FLOAT' }, value: { tensor: { dtype: 'DT_FLOAT', tensorShape: {} } } },
        },
        { name: 'dead', op: 'Const', attr: {} },
        { name: 'init', op: 'NoOp' },
        { name: 'split', op: 'Split', input: ['w', 'x'], attr: { num_split: { i: '2' } } },
        { name: 'y', op: 'Mul', input: ['^init', 'split:1', 'x'], attr: {} },
        { name: 'unused', op: 'Relu', input: ['y'] },
      ],
    },
    weightsManifest: [
      {
        paths: ['g-1of1.bin'],
        weights: [
          { name: 'w', shape: [], dtype: 'int32' },
          { name: 'dead', shape: [3], dtype: 'float32', quantization: { dtype: 'float16', original_dtype: 'float32' } },
        ],
      },
    ],
  };
}

test('keeps what it does not understand, and writes the same again', () => {
  const json = Graph.fromJson(foreignModel()).toJson();
  assert.equal(json.vendorField, { kept: true });
  assert.equal(Graph.fromJson(json).toJson(), json);
  assert.equal(json.weightsManifest, foreignModel().weightsManifest);
});

test('writes control inputs last: TF.js miscounts the data inputs behind one', () => {
  const { modelTopology } = Graph.fromJson(foreignModel()).toJson();
  const nodes = isObject(modelTopology) && Array.isArray(modelTopology.node) ? modelTopology.node : [];
  assert.equal(nodes.find((node) => node.name === 'y').input, ['split:1', 'x', '^init']);
});

test('knows the users of an output', () => {
  const graph = Graph.fromJson(foreignModel());
  assert.equal(
    graph.consumers('x').map(({ node, slot }) => [node.name, slot]),
    [
      ['split', 1],
      ['y', 1],
    ],
  );
  assert.is(graph.consumers('split')[0]?.output, 1);
});

test('redirects one output and leaves the others', () => {
  const graph = Graph.fromJson(foreignModel());
  graph.redirect(endpoint('split', 0), endpoint('x'));
  assert.equal(graph.node('y')?.inputs[0], endpoint('split', 1));
  graph.redirect(endpoint('split', 1), endpoint('x'));
  assert.equal(graph.node('y')?.inputs, [endpoint('x'), endpoint('x')]);
  assert.is(graph.consumers('split').length, 0);
});

test('redirects all but those that are excepted', () => {
  const graph = Graph.fromJson(foreignModel());
  graph.redirect(endpoint('y'), endpoint('x'), new Set(['unused']));
  assert.equal(graph.node('unused')?.inputs, [endpoint('y')]);
  graph.redirect(endpoint('x'), endpoint('w'), new Set(['y']));
  assert.equal(graph.node('split')?.inputs, [endpoint('w'), endpoint('w')]);
  assert.equal(graph.node('y')?.inputs, [endpoint('split', 1), endpoint('x')]);
});

test('prunes what no output needs and keeps inputs and control dependencies', () => {
  const graph = Graph.fromJson(foreignModel());
  assert.equal(graph.prune().sort(), ['dead', 'unused']);
  assert.equal(
    [...graph.nodes].map((node) => node.name),
    ['x', 'w', 'init', 'split', 'y'],
  );
  assert.equal(graph.prune(), []);
});

/** A line of nodes, each of which reads the one before, and what reads some of them. */
function prunable(rest: object = {}) {
  const nodes = [
    { name: 'x', op: 'Placeholder' },
    { name: 'lonely', op: 'PlaceholderWithDefault', input: ['default'] },
    { name: 'default', op: 'Const' },
    { name: 'hidden', op: 'Relu', input: ['x'] },
    { name: 'second', op: 'Split', input: ['axis', 'hidden'] },
    { name: 'axis', op: 'Const' },
    { name: 'y', op: 'Relu', input: ['second:1', '^assert'] },
    { name: 'assert', op: 'Assert', input: ['reason'] },
    { name: 'reason', op: 'Const' },
    { name: 'table', op: 'HashTableV2' },
    { name: 'aside', op: 'Relu', input: ['hidden'] },
    { name: 'unread', op: 'Const' },
  ];
  return Graph.fromJson({ modelTopology: { node: nodes }, weightsManifest: [], ...rest });
}

const outputsOf = (...names: string[]) => ({ outputs: Object.fromEntries(names.map((name) => [name, { name }])) });

const PRUNED: ReadonlyArray<readonly [what: string, rest: object, outputs: string[] | undefined, removed: string[]]> = [
  ['no signature: what nothing reads is an output, but for constants', {}, undefined, ['unread']],
  ['the outputs of the signature', { signature: outputsOf('y:0') }, undefined, ['aside', 'table', 'unread']],
  [
    'an output of the signature that is not there: as without',
    { signature: outputsOf('gone:0') },
    undefined,
    ['unread'],
  ],
  [
    'outputs that were asked for, beside those of the signature',
    { signature: outputsOf('hidden:0') },
    ['aside'],
    ['assert', 'axis', 'reason', 'second', 'table', 'unread', 'y'],
  ],
  [
    'inputs that the signature names',
    { signature: { inputs: { t: { name: 'unread' } }, ...outputsOf('y:0') } },
    undefined,
    ['aside', 'table'],
  ],
  [
    'what an initializer makes',
    { signature: outputsOf('y:0'), initializerSignature: outputsOf('table:0') },
    undefined,
    ['aside', 'unread'],
  ],
  [
    'a signature of nonsense',
    { signature: { outputs: { y: null, z: { name: 7 }, w: 'y' } } },
    ['aside'],
    [...['assert', 'axis', 'reason', 'second', 'table', 'unread', 'y']],
  ],
];

for (const [what, rest, outputs, removed] of PRUNED) {
  test(`prunes: ${what}`, () => {
    const graph = prunable(rest);
    assert.equal((outputs ? graph.prune(outputs) : graph.prune()).sort(), removed);
    const left = prunable(rest);
    assert.equal([...graph.nodes].length, [...left.nodes].length - removed.length);
  });
}

test('prunes a cycle that no output needs, and keeps one that an output does', () => {
  const nodes = [
    { name: 'a', op: 'Relu', input: ['b'] },
    { name: 'b', op: 'Relu', input: ['a'] },
    { name: 'y', op: 'Relu', input: ['x'] },
    { name: 'x', op: 'Placeholder' },
  ];
  const graph = () => Graph.fromJson({ modelTopology: { node: nodes }, weightsManifest: [] });
  assert.equal(graph().prune(['y']), ['a', 'b']);
  assert.equal(graph().prune(['a']), ['y']);
});

test('refuses a name that is there twice', () => {
  const model = foreignModel();
  model.modelTopology.node.push({ name: 'x', op: 'Relu', input: ['y'] });
  assert.throws(() => Graph.fromJson(model), /node "x": is there twice/);
});

test('adds constants that a lone model.json can tell', () => {
  const graph = Graph.fromJson(foreignModel());
  graph.addConstant('shape', { dtype: 'int32', shape: [4], values: [-1, 7, 0, 2_000_000_000] });
  graph.addConstant('scale', { dtype: 'float32', shape: [], values: [Math.fround(0.158)] });
  assert.equal(graph.addedConstants.size, 2);
  const again = Graph.fromJson(graph.toJson());
  assert.equal(again.constant('shape')?.values, [-1, 7, 0, 2_000_000_000]);
  assert.equal(again.constant('scale'), { dtype: 'float32', shape: [], values: [Math.fround(0.158)] });
  assert.is(again.constant('w'), undefined);
});

const rename = (name: string, apply: (graph: Graph) => void): Pass => ({
  name,
  version: 1,
  options: { deep: 1 },
  apply,
});

test('records passes; the same pass again replaces its record', async () => {
  const graph = Graph.fromJson(foreignModel());
  await graph.transform(
    rename('a', () => {}),
    rename('b', () => {}),
  );
  await graph.transform(rename('a', () => {}));
  assert.equal(
    recordedPasses(graph).map(({ name }) => name),
    ['b', 'a'],
  );
  assert.equal(recordedPasses(Graph.fromJson(graph.toJson()))[1], { name: 'a', version: 1, options: { deep: 1 } });
});

test('is unchanged where a pass throws, or leaves a faulty graph', async () => {
  const graph = Graph.fromJson(foreignModel());
  const before = graph.toJson();
  const faults: ReadonlyArray<readonly [apply: (graph: Graph) => void, message: RegExp]> = [
    [
      (copy) => {
        copy.remove('y');
        throw new Error('broken');
      },
      /broken/,
    ],
    [(copy) => copy.remove('split'), /node "y": reads "split", which is not there, after the pass "p"/],
  ];
  for (const [apply, message] of faults) {
    let caught: unknown;
    await graph.transform(rename('p', apply)).catch((error) => {
      caught = error;
    });
    assert.match(String(caught), message);
    assert.equal(graph.toJson(), before);
  }
});

test.run();
