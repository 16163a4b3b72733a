import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { formatPythonJson, parsePythonJson } from '../../src/documents/index.ts';
import { failsWith } from '../support/errors.ts';

const test = suite("JSON as Python's json writes it");

const read = (text: string) => parsePythonJson(text, 'a.json');

const PLAIN = [
  '{"a": [1, -2.5e3, true, false, null, "x"], "": {}, "b": []}',
  ' [ 1 ,\t2\r\n] ',
  '"\\u00e9\\n\\ud83e\\udda5 \\" \\\\"',
  '0',
  '-0',
  '1e400',
  '9007199254740991',
  '1.5',
];
for (const text of PLAIN) test(`as JSON.parse: ${text}`, () => assert.equal(read(text), JSON.parse(text)));

test('a mark of byte order, NaN and infinities', () => {
  assert.equal(read('\ufeff{"a": NaN, "b": [Infinity, -Infinity]}'), {
    a: Number.NaN,
    b: [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY],
  });
});

test('integers beyond 2^53 keep every digit; floats are floats', () => {
  assert.is(read('18446744073709551557'), 18446744073709551557n);
  assert.is(read('-9007199254740993'), -9007199254740993n);
  assert.is(read('9007199254740992'), 9007199254740992n);
  assert.is(read('18446744073709551557.0'), 2 ** 64);
  assert.is(read('1e20'), 1e20);
});

test('strings that look like numbers stay strings, and __proto__ is a field', () => {
  assert.equal(read('["18446744073709551557", "NaN", "\\u0000n123"]'), ['18446744073709551557', 'NaN', '\0n123']);
  const made = read('{"__proto__": {"polluted": 1}, "a": 2}');
  assert.equal(Object.keys(Object(made)), ['__proto__', 'a']);
  assert.is(Reflect.get(Object(made), 'polluted'), undefined);
});

const BROKEN: ReadonlyArray<readonly [text: string, message: RegExp]> = [
  ['', /^a\.json: is not JSON: line 1, column 1 ends too early$/],
  ['{\n  "a": 1,\n}', /line 3, column 1 has an object without a name in quotes/],
  ['[1 2]', /line 1, column 4 has a list without "," or "\]"/],
  ['[1,]', /column 4 has "\]" where a value belongs/],
  ['{"a" 1}', /has a name without ":"/],
  ['{"a": 1 "b": 2}', /without "," or "}"/],
  ['{a: 1}', /without a name in quotes/],
  ['"abc', /has a string without its end/],
  ['"a\nb"', /has a string that is none/],
  ['"\\x41"', /column 1 has a string that is none/],
  ['01', /goes on behind its end/],
  ['{} x', /column 4 goes on behind its end/],
  ['undefined', /has "u" where a value belongs/],
  ['[-NaN]', /has "-" where a value belongs/],
  ['['.repeat(100_000), /is nested more than 200 deep/],
  ['{"a":'.repeat(100_000), /is nested more than 200 deep/],
];
for (const [text, message] of BROKEN) {
  test(`refused in a line: ${JSON.stringify(text.slice(0, 20))}`, () =>
    failsWith('bad-input', message, () => read(text)));
}

test('a string of millions of letters', () => {
  const long = 'é\\\\"'.repeat(2 ** 20);
  assert.ok(read(JSON.stringify(long)) === long);
});

test('what is written is read again, and Python reads it', () => {
  const value = { seed: 18446744073709551557n, list: [1, [], {}, [Number.NaN, null]], text: 'é"\n', none: undefined };
  const { none: _, ...kept } = value;
  assert.equal(read(formatPythonJson(value)), kept);
  assert.equal(read(formatPythonJson(value, 0)), kept);
  assert.is(formatPythonJson({ a: [1n, { b: 2 }], c: [] }, 0), '{"a": [1, {"b": 2}], "c": []}');
  assert.is(formatPythonJson({ a: [1, 2] }), JSON.stringify({ a: [1, 2] }, null, 2));
  assert.is(formatPythonJson(Number.NEGATIVE_INFINITY), '-Infinity');
});

test.run();
