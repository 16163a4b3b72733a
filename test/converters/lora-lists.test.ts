import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { listOf } from '../../converters/lora/parts.ts';

const test = suite('names in messages');

test('eight names at most, and how many more there are', () => {
  const names = 'abcdefghijkl'.split('');
  assert.is(listOf(['a']), 'a');
  assert.is(listOf(names.slice(0, 8)), 'a, b, c, d, e, f, g, h');
  assert.is(listOf(names.slice(0, 9)), 'a, b, c, d, e, f, g, h and 1 more');
  assert.is(listOf(names), 'a, b, c, d, e, f, g, h and 4 more');
});

test.run();
