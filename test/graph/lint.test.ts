import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { attr, Graph, lint } from '../../src/graph/index.ts';

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

test.run();
