import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { endpoint, formatEndpoint, parseInput, sameEndpoint } from '../../src/graph/index.ts';

const test = suite('endpoints');

const READ: ReadonlyArray<readonly [text: string, expected: unknown]> = [
  ['a/b', { kind: 'data', node: 'a/b', output: 0 }],
  ['a/b:0', { kind: 'data', node: 'a/b', output: 0 }],
  ['split:2', { kind: 'data', node: 'split', output: 2 }],
  ['^init', { kind: 'control', node: 'init' }],
];

for (const [text, expected] of READ) {
  test(`reads "${text}"`, () => assert.equal(parseInput(text, 'node'), expected));
}

for (const text of ['', ':1', 'a:b', 'a:1:2', 'a:-1', 'a:1.5']) {
  test(`refuses "${text}"`, () => assert.throws(() => parseInput(text, 'node "x"'), /node "x": cannot read the input/));
}

test('writes output 0 without its number', () => {
  assert.is(formatEndpoint(endpoint('a')), 'a');
  assert.is(formatEndpoint(endpoint('a', 1)), 'a:1');
});

test('compares exactly, never by prefix', () => {
  assert.ok(sameEndpoint(endpoint('a', 1), endpoint('a', 1)));
  assert.not(sameEndpoint(endpoint('a'), endpoint('a', 1)));
  assert.not(sameEndpoint(endpoint('a'), endpoint('ab')));
});

test.run();
