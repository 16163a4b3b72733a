import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { attr, endpoint, Graph, inferShapes } from '../../src/graph/index.ts';
// The room tells the graph of its node.
import '../../src/attention/index.ts';

const test = suite("the attention node's shape rule");

const FLOAT = { dtype: attr.type('float32') };

/** A graph of one node in the place of an attention. */
function attentionNode(hidden: number[], from: string, to: string): Graph {
  const graph = Graph.create();
  const x = graph.add({ name: 'x', op: 'Placeholder', attributes: { ...FLOAT, shape: attr.shape(hidden) } });
  const pixels = graph.add({
    name: 'pixels',
    op: 'Placeholder',
    attributes: { ...FLOAT, shape: attr.shape([2, 3, 5, 1]) },
  });
  const grid = graph.add({ name: 'grid', op: 'Shape', inputs: [pixels] });
  const weights = ['q', 'k', 'v'].map((name) => graph.add({ name, op: 'Const', attributes: FLOAT }));
  graph.setWeightGroups([
    { paths: ['a.bin'], weights: ['q', 'k', 'v'].map((name) => ({ name, shape: [6, 8], dtype: 'float32' })) },
  ]);
  const attributes = { hiddenForm: attr.string(from), outputForm: attr.string(to), heads: attr.int(2) };
  graph.add({ name: 'out', op: 'SlothfulAttention', inputs: [x, ...weights, grid], attributes });
  return graph;
}

test('every form of tokens in, every form out', () => {
  const hidden = { tokens: [2, 15, 6], flat: [30, 6], grid: [2, 3, 5, 6] };
  const out = { tokens: [2, 15, 8], flat: [30, 8], grid: [2, 3, 5, 8], heads: [2, 15, 2, 4] };
  for (const [from, shape] of Object.entries(hidden)) {
    for (const [to, expected] of Object.entries(out)) {
      assert.equal(inferShapes(attentionNode(shape, from, to)).shape(endpoint('out')), expected, `${from} to ${to}`);
    }
  }
});

test.run();
