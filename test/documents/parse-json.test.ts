import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { parseJson } from '../../src/documents/index.ts';
import { failsWith } from '../support/errors.ts';

const test = suite('JSON from outside');

const read = (text: string) => parseJson(text, { place: 'a.json', code: 'bad-input' });
const nested = (open: string, close: string, depth: number) => `${open.repeat(depth)}1${close.repeat(depth)}`;

test('what is nested as deep as files of people are is read; brackets and quotes in strings are none', () => {
  assert.equal(read('{"a": [1, {"b": "[[{\\"[\\\\"}]}'), { a: [1, { b: '[[{"[\\' }] });
  assert.ok(Array.isArray(read(nested('[', ']', 200))));
  assert.equal(read(`["${'['.repeat(1000)}", "\\"${'{'.repeat(1000)}"]`), ['['.repeat(1000), `"${'{'.repeat(1000)}`]);
  assert.equal(read(`[${'[],'.repeat(1000)}{}]`), [...Array(1000).fill([]), {}]);
});

/** `JSON.parse` reads it, and `JSON.stringify`, as whatever else walks through it, then has no stack left. */
test('what is nested deeper is refused', async () => {
  for (const text of [nested('[', ']', 201), nested('[', ']', 20_000), nested('{"a":', '}', 20_000)]) {
    await failsWith('bad-input', /^a\.json: is nested more than 200 deep$/, () => read(text));
  }
  await failsWith('bad-input', /^a\.json: is not JSON/, () => read('['.repeat(20_000)));
});

test.run();
