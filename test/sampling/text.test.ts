import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { encodePrompt, parseTextTable, tokenize, type Values } from '../../src/sampling/index.ts';
import { fixture, readJson } from '../support/fixtures.ts';
import { readSafetensors } from '../support/safetensors.ts';

const test = suite('text');
const demo = parseTextTable(
  readJson('demo/text/vocab.json'),
  readSafetensors(fixture('demo/text/embeddings.safetensors')),
  'demo',
);

const TOKENS: readonly [prompt: string, ids: number[]][] = [
  ['', [0, 0, 0, 0]],
  ['sloth', [29, 0, 0, 0]],
  ['Red-Apple', [26, 1, 0, 0]],
  ['  ice cream\tcat\n', [17, 10, 9, 0]],
  ['cat-cat cat-cat', [9, 9, 9, 9]],
];
for (const [prompt, ids] of TOKENS) {
  test(`"${prompt.trim()}"`, () => assert.equal(tokenize(demo, prompt), ids));
}

test('all prompts that the demo lists are known', () => {
  assert.is(demo.prompts.length, 32);
  for (const prompt of demo.prompts)
    assert.ok(
      tokenize(demo, prompt).some((id) => id > 0),
      prompt,
    );
});

test('unknown words and too many are refused', () => {
  assert.throws(
    () => tokenize(demo, 'a dragon'),
    /prompt "a dragon": the model does not know the word "a".*known words: apple, /,
  );
  assert.throws(() => tokenize(demo, 'red slot'), /the word "slot"; did you mean "sloth"\? known words: .*watermelon$/);
  assert.throws(() => tokenize(demo, 'constructor'), /does not know the word "constructor"/);
  assert.throws(() => tokenize(demo, 'cat cat cat cat cat'), /has 5 words, at most 4/);
});

const SMALL = { vocab: { a: 1, b: 2 }, length: 2, prompts: ['a'] };
const tensors = (changes: Record<string, Values | undefined> = {}) => {
  const all: Record<string, Values | undefined> = {
    token_embedding: { shape: [3, 2], data: Float32Array.of(1, 2, 10, 20, 100, 200) },
    position_embedding: { shape: [2, 2], data: Float32Array.of(0.5, 0.25, -0.5, -0.25) },
    ...changes,
  };
  return new Map(Object.entries(all).flatMap(([name, value]) => (value ? [[name, value] as const] : [])));
};

test('a word is its embedding plus that of its place; padding is word 0', () => {
  const table = parseTextTable(SMALL, tensors(), 'small');
  assert.equal(encodePrompt(table, 'b a'), { shape: [1, 2, 2], data: Float32Array.of(100.5, 200.25, 9.5, 19.75) });
  assert.equal(encodePrompt(table, '').data, Float32Array.of(1.5, 2.25, 0.5, 1.75));
});

test("the demo's prompts differ from each other", () => {
  const { shape, data } = encodePrompt(demo, 'sloth');
  assert.equal(shape, [1, 4, 64]);
  assert.is(data.length, 256);
  assert.is.not(String(data), String(encodePrompt(demo, 'cat').data));
});

const small = (shape: number[]): Values => ({ shape, data: new Float32Array(shape.reduce((a, b) => a * b, 1)) });
const BAD: readonly [name: string, vocabulary: unknown, tensors: Map<string, Values>, message: RegExp][] = [
  ['no object', [], tensors(), /small: expected an object, got a list/],
  ['no words', { ...SMALL, vocab: {} }, tensors(), /vocab must be an object that is not empty/],
  ['an invalid id', { ...SMALL, vocab: { a: '1' } }, tensors(), /vocab.a must be an integer from 1, got "1"/],
  ['an id of padding', { ...SMALL, vocab: { a: 0 } }, tensors(), /vocab.a must be an integer from 1, got 0/],
  ['no length', { ...SMALL, length: 0 }, tensors(), /length must be an integer from 1/],
  ['no prompts', { ...SMALL, prompts: [1] }, tensors(), /prompts\[0\] must be a text, got 1/],
  ['no tensor', SMALL, tensors({ position_embedding: undefined }), /has no tensor "position_embedding"/],
  ['too few words', SMALL, tensors({ token_embedding: small([2, 2]) }), /"b" has id 2, and token_embedding has 2 rows/],
  ['a flat table', SMALL, tensors({ token_embedding: small([6]) }), /token_embedding must be \[words, C\], got \[6\]/],
  [
    'other widths',
    SMALL,
    tensors({ position_embedding: small([2, 3]) }),
    /position_embedding must be \[2, 2\], got \[2,3\]/,
  ],
];
for (const [name, vocabulary, given, message] of BAD) {
  test(`refuses ${name}`, () => assert.throws(() => parseTextTable(vocabulary, given, 'small'), message));
}

test.run();
