import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { locate, type Rejection } from '../../src/attention/index.ts';
import { attr, type Endpoint, endpoint, type Graph } from '../../src/graph/index.ts';
import { MATRICES, SIZE, SpellingBuilder } from './spelling-builder.ts';
import { kerasDense } from './spellings/keras.ts';
import { crossAttention, fusedBias, ourConverter } from './spellings/others.ts';

const test = suite('rejections');

const { heads, headDim, channels, tokens } = SIZE;

/** The one rejection of a graph that has no site. */
function rejectionOf(graph: Graph): Rejection {
  const { sites, rejections, top, deep } = locate(graph);
  assert.equal(sites, []);
  assert.equal([top, deep], [undefined, undefined]);
  assert.is(rejections.length, 1);
  const [rejection] = rejections;
  if (!rejection) throw new Error('no rejection');
  return rejection;
}

function expectRejection(graph: Graph, reached: Rejection['reached'], node: string, reason: RegExp): void {
  const rejection = rejectionOf(graph);
  assert.match(rejection.reason, reason);
  assert.is(rejection.node, node);
  assert.is(rejection.reached, reached);
}

test('a graph without a softmax has neither sites nor rejections', () => {
  const b = new SpellingBuilder();
  b.finish(b.tokens(b.sample()));
  assert.equal(locate(b.graph), { sites: [], rejections: [], top: undefined, deep: undefined });
});

test('the softmax of a classifier', () => {
  const b = new SpellingBuilder();
  const logits = b.matmul('dense', b.reshape('flat', b.sample(), [-1, channels]), b.weight('w', [8, 8], MATRICES.key));
  b.softmax('classes', logits);
  expectRejection(b.graph, 'softmax', 'dense', /the softmax is of a MatMul, not of a product of queries and keys/);
});

test('a softmax whose result nothing multiplies with values', () => {
  const b = new SpellingBuilder();
  const x = b.tokens(b.sample());
  b.op('out', 'Relu', [b.softmax('softmax', b.product('logits', x, x, 'y'))]);
  expectRejection(b.graph, 'scores', 'out', /the probabilities are read by a Relu/);
});

test('tokens that attend without projections', () => {
  const b = new SpellingBuilder();
  const x = b.tokens(b.sample());
  b.op('out', 'Identity', [b.product('sum', b.softmax('softmax', b.product('logits', x, x, 'y')), x)]);
  expectRejection(b.graph, 'values', 'sample', /the queries are an input of the graph, without a projection/);
});

test('a causal mask by selection', () => {
  const { graph } = kerasDense.build();
  const mask = graph.addConstant('mask', { dtype: 'bool', shape: [15, 1], values: new Array(15).fill(1) });
  const low = graph.addConstant('low', { dtype: 'float32', shape: [], values: [-1e9] });
  const picked = graph.add({ name: 'picked', op: 'SelectV2', inputs: [mask, endpoint('scaled'), low] });
  graph.redirect(endpoint('scaled'), picked, new Set(['picked']));
  expectRejection(graph, 'softmax', 'picked', /the logits are masked \(SelectV2\)/);
});

test('a position bias that is computed', () => {
  const { graph } = kerasDense.build();
  const bias = graph.add({ name: 'bias', op: 'Mean', inputs: [endpoint('tokens'), endpoint('const')] });
  const biased = graph.add({ name: 'biased', op: 'AddV2', inputs: [endpoint('scaled'), bias] });
  graph.redirect(endpoint('scaled'), biased, new Set(['biased']));
  expectRejection(graph, 'softmax', 'biased', /a mask or a position bias is added to the logits \(AddV2\)/);
});

test('a bias that varies is not fused into a projection that is read', () => {
  const { graph } = fusedBias.build();
  const mean = graph.add({ name: 'mean', op: 'Mean', inputs: [endpoint('flat'), endpoint('const')] });
  graph.redirect(endpoint('key/bias'), mean);
  expectRejection(graph, 'values', 'key/MatMul', /the keys have a bias that varies/);
});

test('a projection that says it has a bias, and has no input for it', () => {
  const { graph } = fusedBias.build();
  const node = graph.node('value/MatMul');
  if (!node) throw new Error('the spelling has changed');
  graph.replace({ ...node, inputs: node.inputs.slice(0, 2) });
  expectRejection(graph, 'values', 'value/MatMul', /the values have a bias that varies/);
});

const INSIDE = ['query/MatMul', 'query/heads', 'scaled', 'logits', 'sum'];

for (const name of INSIDE) {
  test(`"${name}" is read elsewhere: a rewrite would compute it twice`, () => {
    const { graph } = ourConverter.build();
    graph.add({ name: 'elsewhere', op: 'Relu', inputs: [endpoint(name)] });
    const { reason } = rejectionOf(graph);
    assert.match(reason, /"elsewhere"/);
  });
}

test('the shape of an inside value may be read inside, and not outside', () => {
  const { graph } = ourConverter.build();
  const shape = graph.add({ name: 'inside_shape', op: 'Shape', inputs: [endpoint('query/MatMul')] });
  assert.is(locate(graph).rejections.length, 1);
  const { graph: again } = ourConverter.build();
  const flat = again.add({ name: 'inside_shape', op: 'Shape', inputs: [endpoint('sum')] });
  const same = again.add({ name: 'same', op: 'Reshape', inputs: [endpoint('sum'), flat] });
  again.redirect(endpoint('sum'), same, new Set(['same', 'inside_shape']));
  assert.is(locate(again).sites.length, 1);
  assert.is(shape.node, 'inside_shape');
});

test('an inside value that is an output by signature', () => {
  const { graph } = ourConverter.build();
  graph.setSignature({ outputs: { out: { name: 'out:0' }, map: { name: 'scaled:0' } } });
  expectRejection(graph, 'merge', 'scaled', /is inside the attention and an output of the graph/);
});

test('heads that are read before they are merged too are replaced there', () => {
  const { graph } = ourConverter.build();
  graph.add({ name: 'elsewhere', op: 'Relu', inputs: [endpoint('together')] });
  const [site] = locate(graph).sites;
  assert.is(site?.output.node, 'together');
  assert.is(site?.outputForm, 'heads');
});

/** A second attention beside that of `cross`, over the image embeddings, with the same queries. */
function withImageAdapter(): Graph {
  const { graph } = crossAttention.build();
  const copies = new Set(['key', 'value'].flatMap((name) => operandNodes(graph, name)).concat(AFTER));
  for (const name of copies) {
    const node = graph.expectNode(name, 'test');
    const inputs = node.inputs.map((input) => (copies.has(input.node) ? endpoint(`image/${input.node}`) : input));
    graph.add({ ...node, name: `image/${name}`, inputs });
  }
  const both = graph.add({ name: 'both', op: 'AddV2', inputs: [endpoint('merged'), endpoint('image/merged')] });
  graph.redirect(endpoint('merged'), both, new Set(['both']));
  return graph;
}

const AFTER = ['logits', 'softmax', 'sum', 'together', 'merged'];

function operandNodes(graph: Graph, name: string): string[] {
  return [...graph.nodes]
    .map((node) => node.name)
    .filter((item) => item.startsWith(`${name}/`) && !/kernel/.test(item));
}

test('two attentions may share their queries, as an image adapter has it', () => {
  const { sites, rejections } = locate(withImageAdapter());
  assert.equal(rejections, []);
  assert.equal(
    sites.map(({ id, output }) => [id, output.node]),
    [
      ['middle.0.0.0.cross', 'merged'],
      ['middle.0.0.0.cross2', 'image/merged'],
    ],
  );
});

test('queries that something else reads too may not be shared', () => {
  const graph = withImageAdapter();
  graph.add({ name: 'elsewhere', op: 'Relu', inputs: [endpoint('scaled')] });
  const { sites, rejections } = locate(graph);
  assert.equal(sites, []);
  assert.ok(rejections.length === 2 && rejections.every(({ reason }) => reason.includes('"elsewhere" (Relu)')));
});

test('what reads the merged heads or the hidden states beside the attention does no harm', () => {
  const { graph } = ourConverter.build();
  graph.add({ name: 'probe', op: 'Relu', inputs: [endpoint('merged')] });
  graph.add({ name: 'residual', op: 'Relu', inputs: [endpoint('flat')] });
  assert.is(locate(graph).sites.length, 1);
});

test('a softmax on a loop', () => {
  const b = new SpellingBuilder();
  b.op('first', 'AddV2', [b.sample(), endpoint('softmax')]);
  b.softmax('softmax', endpoint('first'));
  expectRejection(b.graph, 'softmax', 'softmax', /lies on or behind a loop/);
});

test('edges to nodes that are not there', () => {
  const { graph } = ourConverter.build();
  graph.remove('query/MatMul');
  expectRejection(graph, 'values', 'query/MatMul', /the queries come from a node that is not there/);
});

/** An attention whose pieces a caller replaces. */
function attention(change: {
  scale?: (b: SpellingBuilder, query: Endpoint) => Endpoint;
  merge?: readonly number[];
  weight?: (name: string) => readonly number[];
}): Graph {
  const b = new SpellingBuilder();
  const x = b.tokens(b.sample());
  const project = (name: 'query' | 'key' | 'value') =>
    b.transpose(`${name}/t`, b.split(`${name}/heads`, b.dense(name, x, MATRICES[name])), [0, 2, 1, 3]);
  const query = project('query');
  const scaled = change.scale ? change.scale(b, query) : query;
  const sum = b.product(
    'sum',
    b.softmax('softmax', b.product('logits', scaled, project('key'), 'y')),
    project('value'),
  );
  const merged = b.reshape('merged', b.transpose('turn', sum, change.merge ?? [0, 2, 1, 3]), [-1, tokens, channels]);
  return b.finish(merged).graph;
}

test('no scale is a scale of 1', () => {
  assert.is(locate(attention({})).sites[0]?.scale, 1);
});

test('scales before, between and after multiply', () => {
  const graph = attention({
    scale: (b, query) => b.op('half', 'RealDiv', [b.op('third', 'Mul', [b.float(0.75), query]), b.float(2)]),
  });
  assert.is(locate(graph).sites[0]?.scale, 0.375);
});

test('a scale for each channel is not a scale', () => {
  const graph = attention({
    scale: (b, query) => b.op('gamma', 'Mul', [query, b.weight('norm', [headDim], MATRICES.out.slice(0, headDim))]),
  });
  expectRejection(graph, 'values', 'gamma', /the queries are multiplied by another tensor/);
});

test('a scale that depends on the number of tokens is not a constant', () => {
  const graph = attention({
    scale: (b, query) => {
      const batch = b.op('size', 'Size', [query], { out_type: attr.type('int32') });
      return b.op('by_size', 'RealDiv', [query, b.op('float', 'Cast', [batch], { DstT: attr.type('float32') })]);
    },
  });
  expectRejection(graph, 'values', 'by_size', /the queries come from a RealDiv/);
});

test('heads that are merged in another order', () => {
  expectRejection(
    attention({ merge: [0, 2, 3, 1] }),
    'projections',
    'to_out/Tensordot/MatMul',
    /before they are merged/,
  );
});

test('several softmaxes: each has its own answer, in the order of execution', () => {
  const { graph } = ourConverter.build();
  graph.add({ name: 'classes', op: 'Softmax', inputs: [endpoint('out')] });
  const { sites, rejections } = locate(graph);
  assert.equal(
    sites.map(({ softmax, id }) => [softmax, id]),
    [['softmax', 'middle.0.0.0']],
  );
  assert.equal(
    rejections.map(({ softmax }) => softmax),
    ['classes'],
  );
  assert.is(sites[0]?.heads, heads);
});

test.run();
