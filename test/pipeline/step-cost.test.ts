import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type Attributes, attr, Graph } from '../../src/graph/index.ts';
import { attentionNodes } from '../../src/passes/index.ts';
import { stepCost } from '../../src/pipeline/step-cost.ts';
import { ourConverter } from '../attention/spellings/others.ts';
import { failsWith } from '../support/errors.ts';

const test = suite('what one evaluation takes');

interface Op {
  readonly name: string;
  readonly op: string;
  readonly inputs?: readonly string[];
  readonly attributes?: Attributes;
}

/** 4 x 4 pixels of 2 channels are 128 bytes: a unit. */
const UNIT = 128;
const SIZE = { rows: 4, columns: 4, batch: 1 };

const relu = (name: string, of: string): Op => ({ name, op: 'Relu', inputs: [of] });
const add = (name: string, ...of: string[]): Op => ({ name, op: 'AddV2', inputs: of });

function graphOf(ops: readonly Op[]): Graph {
  const graph = Graph.create();
  const attributes = { dtype: attr.type('float32'), shape: attr.shape([-1, -1, -1, 2]) };
  graph.add({ name: 'sample', op: 'Placeholder', attributes });
  graph.addConstant('weight', { dtype: 'float32', shape: [1, 4, 4, 2], values: Array(32).fill(1) });
  for (const { inputs = [], ...op } of ops) {
    graph.add({ ...op, inputs: inputs.map((node) => ({ node, output: 0 })) });
  }
  return graph;
}

/** Most units that are held at once, counted by hand: when each is made, and who reads it last. */
const HELD: ReadonlyArray<readonly [what: string, ops: readonly Op[], units: number]> = [
  ['nothing but the sample', [], 1],
  ['a line: what is read and what is made of it', [relu('a', 'sample'), relu('b', 'a'), relu('c', 'b')], 2],
  ['a skip connection is held until it is joined', [relu('a', 'sample'), relu('b', 'a'), add('c', 'b', 'sample')], 3],
  [
    'two skip connections',
    [relu('a', 'sample'), relu('b', 'a'), relu('c', 'b'), add('d', 'c', 'a'), add('e', 'd', 'sample')],
    4,
  ],
  ['what is read twice by one node is let go once', [add('a', 'sample', 'sample'), relu('b', 'a'), relu('c', 'b')], 2],
  ['what nobody reads is an output, and stays', [relu('out', 'sample'), relu('a', 'sample'), relu('b', 'a')], 3],
  [
    'a view of a tensor takes nothing, and holds it',
    [
      relu('a', 'sample'),
      { name: 'view', op: 'Identity', inputs: ['a'] },
      { name: 'again', op: 'StopGradient', inputs: ['view'] },
      relu('b', 'a'),
      relu('c', 'b'),
      add('d', 'c', 'again'),
    ],
    3,
  ],
  ['weights are not counted', [add('a', 'sample', 'weight'), add('b', 'a', 'weight')], 2],
  ['what is not known counts as nothing', [{ name: 'a', op: 'Strange', inputs: ['sample'] }, relu('b', 'a')], 1],
];

for (const [what, ops, units] of HELD) {
  test(`held: ${what}`, () => {
    const { size, heldBytes, flops } = stepCost(graphOf(ops), SIZE, 'cpu');
    assert.is(heldBytes / UNIT, units);
    assert.is(flops, 0);
    assert.equal([size.rows, size.columns, size.batch], [4, 4, 1]);
    assert.is(stepCost(graphOf(ops), { ...SIZE, batch: 3 }, 'cpu').heldBytes / UNIT, 3 * units);
  });
}

/** The small attention: 2 samples of 15 tokens, 8 channels in 2 heads; 480 values in hidden states and output. */
const ATTENTION = { rows: 3, columns: 5, batch: 2 };

test('an attention node holds its projections, and its logits twice, beside what goes in and out', async () => {
  const { graph } = ourConverter.build();
  await graph.transform(attentionNodes());
  const projections = 4 * 2 * 8 * (15 + 2 * 15);
  const logits = 4 * 2 * 2 * 15 * 15;
  const beside = 4 * 2 * 15 * 8 * 2;
  for (const [backend, logitsAtOnce] of [
    ['cpu', logits],
    ['wasm', logits / 4],
  ] as const) {
    const { heldBytes, flops } = stepCost(graph, ATTENTION, backend);
    const inside = heldBytes - projections - 2 * logitsAtOnce;
    // What is left are the hidden states, the output, and shapes of a few numbers.
    assert.ok(inside >= beside && inside <= beside + 64, `${backend}: ${inside} beside ${beside}`);
    assert.is(flops, 29_760);
  }
});

test('spelled in stock ops it costs what its ops do', () => {
  const { graph } = ourConverter.build();
  const { heldBytes, flops } = stepCost(graph, ATTENTION, 'wasm');
  assert.is(flops, 29_760);
  // Logits and their softmax at once, whatever the backend.
  assert.ok(heldBytes >= 2 * 4 * 2 * 2 * 15 * 15);
  assert.is(stepCost(graph, ATTENTION, 'cpu').heldBytes, heldBytes);
});

test('an attention of tokens that nobody can count holds nothing that is known', async () => {
  const { graph } = ourConverter.build();
  await graph.transform(attentionNodes());
  const strange = graph.add({ name: 'strange', op: 'Strange', inputs: [{ node: 'sample', output: 0 }] });
  graph.redirect({ node: 'sample', output: 0 }, strange, new Set(['strange']));
  const { heldBytes } = stepCost(graph, ATTENTION, 'cpu');
  const sample = 4 * 2 * 15 * 8;
  assert.ok(heldBytes >= sample && heldBytes <= sample + 64, `${heldBytes}`);
});

test('a graph without inputs takes nothing', () => {
  const graph = Graph.create();
  graph.addConstant('weight', { dtype: 'float32', shape: [4], values: [1, 2, 3, 4] });
  assert.is(stepCost(graph, SIZE, 'cpu').heldBytes, 0);
});

test('a size that the graph cannot have is refused', () =>
  failsWith('bad-input', /size \(rows\)/, () => stepCost(graphOf([]), { rows: 0 }, 'cpu')));

test.run();
