import { createHash } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import {
  ClipTokenizer,
  clipVocabulary,
  parseMerges,
  parseTokenizer,
  promptChunks,
  SECOND_PAD,
  tokenizerFiles,
  vocabularyOfMerges,
} from '../../src/text/index.ts';
import { readTokenizer } from '../../src/text/node.ts';
import { failsWith } from '../support/errors.ts';
import { readJson } from '../support/fixtures.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { TEXT_CASES, tokenizer, tokenizer_2 } from '../support/text-goldens.ts';

const test = suite('tokenizer');

const withEnds = (ids: readonly number[]) => [tokenizer.start, ...ids, tokenizer.end];

for (const { name, prompt, ids, ids_2 = ids, padded, padded_2 } of TEXT_CASES.tokens) {
  test(`tokens of transformers: ${name}`, () => {
    assert.equal(withEnds(tokenizer.tokenize(prompt)), ids);
    assert.equal(withEnds(tokenizer_2.tokenize(prompt, { padIsSpecial: true })), ids_2);
    assert.equal(withEnds(tokenizer_2.tokenize(prompt)), ids, 'padding is a character like others, if not asked for');
    assert.equal(promptChunks(tokenizer, prompt, 'none')[0]?.ids, padded);
    assert.equal(promptChunks(tokenizer_2, prompt, 'none')[0]?.ids, padded_2);
  });
}

const clip = new ClipTokenizer(await clipVocabulary());

for (const { prompt, ids } of readJson<{ prompt: string; ids: number[] }[]>('pipeline/text/clip-tokens.json')) {
  test(`CLIP's own vocabulary: ${prompt.slice(0, 50)}`, () => {
    assert.equal([clip.start, ...clip.tokenize(prompt), clip.end], ids);
  });
}

test("the vocabulary that is shipped is OpenAI's", () => {
  const { tokens, merges } = clip.vocabulary;
  assert.is(merges.length, 48894);
  assert.is(tokens.size, 49408);
  const text = `#version: 0.2\n${merges.map((merge) => `${merge.join(' ')}\n`).join('')}`;
  const hash = createHash('sha256').update(text).digest('hex');
  assert.is(hash, '9fd691f7c8039210e0fced15865466c65820d09b63988b0174bfe25de299051a');
  assert.equal([clip.start, clip.end, clip.pad, clip.paddedWith(SECOND_PAD).pad], [49406, 49407, 49407, 0]);
});

test('every code unit can be tokenized, alone and in a word', () => {
  const known = new Set(tokenizer.vocabulary.tokens.values());
  for (let unit = 0; unit < 0x10000; unit += 7) {
    const ids = tokenizer.tokenize(`a${String.fromCharCode(unit)}b`);
    assert.ok(ids.length > 0 && ids.every((id) => known.has(id)), `U+${unit.toString(16)}`);
  }
});

test('special tokens in another case are text, whatever stands beside them', () => {
  const { start, end } = tokenizer;
  for (const text of ['<|EndOfText|>', '<|ENDOFTEXT|>!!', 'x<|STARTOFTEXT|>', '\ufeff!<|EndOfText|>']) {
    assert.not(tokenizer.tokenize(text).some((id) => id === start || id === end));
  }
  assert.equal(tokenizer.tokenize('<|endoftext|><|startoftext|>'), [end, start]);
});

const MERGES = '#version: 0.2\na b</w>\n';
const VOCABULARY = Object.fromEntries(vocabularyOfMerges(parseMerges(MERGES, 'merges')).tokens);
const without = (token: string) => Object.fromEntries(Object.entries(VOCABULARY).filter(([name]) => name !== token));

test('tokenizers are made of either form of their files', () => {
  const merges = [['a', 'b</w>']];
  const own = parseTokenizer({ vocabulary: VOCABULARY, merges: MERGES }, 'folder');
  const whole = parseTokenizer({ tokenizer: { model: { type: 'BPE', vocab: VOCABULARY, merges } } }, 'folder');
  const older = parseTokenizer({ tokenizer: { model: { type: 'BPE', vocab: VOCABULARY, merges: ['a b</w>'] } } }, 'f');
  for (const each of [own, whole, older]) assert.equal(each.tokenize('ab a'), [512, 256 + 64]);
  const config = { pad_token: { content: '!', lstrip: false } };
  const files = { vocabulary: VOCABULARY, merges: MERGES };
  assert.is(parseTokenizer({ ...files, config }, 'folder').pad, 0);
  assert.is(parseTokenizer({ ...files, config: {}, specialTokens: config }, 'folder').pad, 0);
  assert.is(parseTokenizer({ ...files, config: { pad_token: '"' }, specialTokens: config }, 'folder').pad, 1);
});

test('a folder that is written of a tokenizer gives the same tokenizer', async () => {
  const folder = temporaryFolder();
  const written = clip.paddedWith(SECOND_PAD);
  for (const [name, text] of tokenizerFiles(written)) await writeFile(join(folder, name), text);
  const read = await readTokenizer(folder);
  assert.equal([read.start, read.end, read.pad, read.idCount], [49406, 49407, 0, 49408]);
  assert.equal(read.specials, written.specials);
  const prompt = 'A sloth, hanging!! <|endoftext|>';
  assert.equal(read.tokenize(prompt), written.tokenize(prompt));
});

const WRONG: readonly [name: string, files: Parameters<typeof parseTokenizer>[0], message: RegExp][] = [
  ['nothing', {}, /^folder: has no vocabulary; give vocab\.json and merges\.txt, or tokenizer\.json$/],
  ['no merges', { vocabulary: VOCABULARY }, /has no vocabulary/],
  ['no vocabulary', { merges: MERGES }, /has no vocabulary/],
  ['empty merges', { vocabulary: VOCABULARY, merges: '#version: 0.2\n' }, /^folder\/merges\.txt: has no merges/],
  ['three symbols', { vocabulary: VOCABULARY, merges: '#version: 0.2\na b\na b c\n' }, /line 3 is no pair.*"a b c"/],
  ['one symbol', { vocabulary: VOCABULARY, merges: 'a\n' }, /line 1 is no pair/],
  ['binary merges', { vocabulary: VOCABULARY, merges: '\0\x01PNG' }, /line 1 is no pair/],
  ['other merges', { vocabulary: VOCABULARY, merges: 'q z\n' }, /merges "q" and "z", and folder\/vocab\.json has no/],
  ['a byte is missing', { vocabulary: without('A'), merges: MERGES }, /vocab\.json: has no token "A"/],
  ['an end is missing', { vocabulary: without('<|endoftext|>'), merges: MERGES }, /has no token "<\|endoftext\|>"/],
  ['a list', { vocabulary: ['a'], merges: MERGES }, /vocab\.json: expected an object/],
  ['words for ids', { vocabulary: { a: 'b' }, merges: MERGES }, /vocab\.json: a must be .*, got "b"/],
  ['a half id', { vocabulary: { a: 0.5 }, merges: MERGES }, /vocab\.json: a must be/],
  ['no model', { tokenizer: {} }, /tokenizer\.json: model must be/],
  ['merges that are none', { tokenizer: { model: { type: 'BPE', vocab: {}, merges: [1] } } }, /1 is no pair/],
  ['unknown padding', { vocabulary: VOCABULARY, merges: MERGES, config: { pad_token: 'x y' } }, /no token "x y"/],
];
for (const [name, files, message] of WRONG) {
  test(`refused: ${name}`, () => failsWith('bad-model', message, () => parseTokenizer(files, 'folder')));
}

test('refused: another kind of tokenizer', () =>
  failsWith('unsupported', /is a tokenizer of WordPiece; CLIP's is BPE/, () =>
    parseTokenizer({ tokenizer: { model: { type: 'WordPiece', vocab: {}, merges: [] } } }, 'folder'),
  ));

test('folders that are missing, empty or broken are refused in one line', async () => {
  const folder = temporaryFolder();
  await failsWith('bad-model', /has no vocabulary/, () => readTokenizer(join(folder, 'missing')));
  await failsWith('bad-model', /has no vocabulary/, () => readTokenizer(folder));
  await writeFile(join(folder, 'vocab.json'), '{ "a": ');
  await failsWith('bad-model', /vocab\.json: is not JSON/, () => readTokenizer(folder));
  const other = join(folder, 'other');
  await mkdir(join(other, 'vocab.json'), { recursive: true });
  await failsWith('io', /vocab\.json: is a folder/, () => readTokenizer(other));
});

test.run();
