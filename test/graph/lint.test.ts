import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { attr, checkGraph, Graph, lint, registerGraphOp } from '../../src/graph/index.ts';

const test = suite('lint');

interface Node {
  name: string;
  op: string;
  input?: string[];
  attr?: Record<string, unknown>;
}

function graphOf(nodes: Node[], weights: string[] = []) {
  const entries = weights.map((name) => ({ name, shape: [], dtype: 'float32' }));
  return Graph.fromJson({ modelTopology: { node: nodes }, weightsManifest: [{ paths: ['a.bin'], weights: entries }] });
}

const X: Node = { name: 'x', op: 'Placeholder' };

const FAULTS: ReadonlyArray<readonly [title: string, nodes: Node[], rule: string, problem: RegExp]> = [
  ['a dangling input', [X, { name: 'y', op: 'Relu', input: ['z'] }], 'dangling-input', /reads "z"/],
  ['a dangling control input', [X, { name: 'y', op: 'Relu', input: ['x', '^z'] }], 'dangling-input', /waits for "z"/],
  [
    'an output that is not there',
    [X, { name: 'y', op: 'Relu', input: ['x:1'] }],
    'missing-output',
    /reads output 1 of "x"/,
  ],
  ['a colon in a name', [{ name: 'x:0', op: 'Placeholder' }], 'colon-in-name', /":"/],
  ['a Const without weights', [{ name: 'c', op: 'Const' }], 'missing-weight', /weights manifest/],
  ['NCHW', [X, { name: 'y', op: 'AvgPool', input: ['x'], attr: { data_format: attr.string('NCHW') } }], 'nchw', /NCHW/],
  [
    'a norm of the values it is given',
    [X, { name: 'n', op: 'FusedBatchNormV3', input: ['x'], attr: { is_training: { b: true } } }],
    'training-norm',
    /is_training = true/,
  ],
  [
    'a cycle',
    [X, { name: 'a', op: 'Add', input: ['x', 'b'] }, { name: 'b', op: 'Relu', input: ['a'] }],
    'cycle',
    /cycle of 2 nodes/,
  ],
  [
    'a default that is not a Const',
    [X, { name: 'd', op: 'PlaceholderWithDefault', input: ['x'] }],
    'default-not-const',
    /not a Const/,
  ],
];

for (const [title, nodes, rule, problem] of FAULTS) {
  test(`finds ${title}`, () => {
    const findings = lint(graphOf(nodes));
    assert.equal(
      findings.map((finding) => finding.rule),
      [rule],
    );
    assert.match(findings[0]?.problem ?? '', problem);
  });
}

const FINE: ReadonlyArray<readonly [title: string, nodes: Node[], weights: string[]]> = [
  ['a Const with weights', [{ name: 'c', op: 'Const' }], ['c']],
  [
    'a second output of a Split',
    [X, { name: 's', op: 'Split', input: ['x', 'x'] }, { name: 'y', op: 'Relu', input: ['s:1'] }],
    [],
  ],
  ['NHWC', [X, { name: 'y', op: 'AvgPool', input: ['x'], attr: { data_format: attr.string('NHWC') } }], []],
  [
    'a second output of an op of another maker',
    [X, { name: 'm', op: 'Mine', input: ['x'] }, { name: 'y', op: 'Relu', input: ['m:1'] }],
    [],
  ],
];

for (const [title, nodes, weights] of FINE) {
  test(`passes ${title}`, () => assert.equal(lint(graphOf(nodes, weights)), []));
}

test('the output that is not there is told with how many there are', () => {
  const read = (op: string, input: string) =>
    lint(graphOf([X, { name: 'm', op, input: ['x'] }, { name: 'y', op: 'Relu', input: [input] }]));
  assert.match(read('Mul', 'm:1')[0]?.problem ?? '', /reads output 1 of "m", and Mul has one$/);
  registerGraphOp({ op: 'LintedPair', outputs: 2 });
  assert.match(read('LintedPair', 'm:2')[0]?.problem ?? '', /reads output 2 of "m", and LintedPair has 2$/);
  assert.equal(read('LintedPair', 'm:1'), []);
});

test('a loop of control flow is no cycle', () => {
  const loop = (op: string) => [
    { name: 'enter', op: 'Enter', input: ['x'] },
    { name: 'merge', op: 'Merge', input: ['enter', 'next'] },
    { name: 'next', op, input: ['merge'] },
  ];
  assert.equal(lint(graphOf([X, ...loop('NextIteration')])), []);
  assert.equal(
    lint(graphOf([X, ...loop('Relu')])).map(({ rule, node }) => [rule, node]),
    [['cycle', 'merge']],
  );
});

test('a default that is a Const is one; a node that is not there is told once', () => {
  const nodes: Node[] = [
    { name: 'c', op: 'Const' },
    { name: 'd', op: 'PlaceholderWithDefault', input: ['c'] },
  ];
  assert.equal(lint(graphOf(nodes, ['c'])), []);
});

test('a graph is refused by its first fault, and the others are counted', () => {
  const faulty = (count: number) =>
    graphOf(Array.from({ length: count }, (_, index) => ({ name: `n${index}`, op: 'Relu', input: ['gone'] })));
  checkGraph(faulty(0), 'here');
  const message = (count: number) => {
    try {
      checkGraph(faulty(count), 'here');
    } catch (error) {
      return String(error instanceof Error && error.message);
    }
    return '';
  };
  assert.match(message(1), /^node "n0": reads "gone", which is not there, here; /);
  assert.match(message(2), /not there \(and 1 more\), here/);
  assert.match(message(5), /not there \(and 4 more\), here/);
});

test.run();
