import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import {
  emptyChunk,
  encodeChunks,
  encodePrompts,
  parseA1111Weights,
  parseComfyUIWeights,
  promptChunks,
  textConditioning,
} from '../../src/text/index.ts';
import { failsWith } from '../support/errors.ts';
import { largestDifference } from '../support/numbers.ts';
import { golden, SD15, SDXL, TEXT_CASES, tokenizer, tokenizer_2 } from '../support/text-goldens.ts';

const test = suite('prompt weights');

const PARSE = { comfyui: parseComfyUIWeights, a1111: parseA1111Weights };

for (const each of TEXT_CASES.weighting) {
  const { name, prompt, convention, parsed, tokens, tokens_2, weights } = each;
  test(`${name}: parts, chunks and weights`, () => {
    const parts = PARSE[convention](prompt).map(({ text, weight }) => [text, weight]);
    assert.equal(parts, parsed);
    const chunks = promptChunks(tokenizer, prompt, convention);
    assert.equal(
      chunks.map(({ ids }) => ids),
      tokens,
    );
    assert.equal(
      chunks.map((chunk) => chunk.weights),
      weights,
    );
    assert.equal(
      promptChunks(tokenizer_2, prompt, convention).map(({ ids }) => ids),
      tokens_2,
    );
  });
  test(`${name}: conditioning`, async () => {
    const request = { prompt, weights: convention, guided: false };
    const sd15 = (await textConditioning(SD15, request)).cond;
    assert.ok(largestDifference(sd15.encoder_hidden_states?.data ?? [], golden(each.sd15)) < 1e-4);
    assert.equal(sd15.encoder_hidden_states?.shape, [1, 77 * tokens.length, 24]);
    const sdxl = (await textConditioning(SDXL, request)).cond;
    assert.ok(largestDifference(sdxl.encoder_hidden_states?.data ?? [], golden(each.sdxl)) < 1e-4);
    assert.ok(largestDifference(sdxl.text_embeds?.data ?? [], golden(each.sdxl_pooled)) < 1e-4);
  });
}

const [encoder] = SD15.encoders;
const LAST = { skip: 0, norm: true };

test('without the norm each token is multiplied, and nothing else', async () => {
  if (!encoder) throw new Error('no encoder');
  const chunks = promptChunks(tokenizer, 'a (sloth:1.5) [tree]', 'a1111-no-norm');
  const plain = await encodeChunks(encoder, chunks, { layer: LAST, weights: 'none' });
  const { hiddenStates } = await encodeChunks(encoder, chunks, { layer: LAST, weights: 'a1111-no-norm' });
  const weights = chunks.flatMap((chunk) => chunk.weights);
  assert.equal([...new Set(weights)], [1, 1.5, 1 / 1.1]);
  const expected = plain.hiddenStates.data.map((value, index) => value * (weights[Math.floor(index / 24)] ?? 0));
  assert.ok(largestDifference(hiddenStates.data, expected) < 1e-6);
});

test('without weights brackets are text, and what is beyond 75 tokens is cut off', () => {
  const [chunk, ...others] = promptChunks(tokenizer, '(tree:1.5) '.repeat(40), 'none');
  assert.is(others.length, 0);
  assert.equal([chunk?.ids.length, chunk?.ids[0], chunk?.ids[76]], [77, tokenizer.start, tokenizer.end]);
  assert.equal(new Set(chunk?.weights), new Set([1]));
});

test('the empty prompt is encoded only where weights need it', async () => {
  if (!encoder) throw new Error('no encoder');
  const counts: number[] = [];
  const counting = {
    tokenizer,
    encode: (...[ids, layer]: Parameters<typeof encoder.encode>) => {
      counts.push(ids.length);
      return encoder.encode(ids, layer);
    },
  };
  for (const prompt of ['a tree', 'a (tree)', 'a (tree:1)']) {
    await textConditioning({ encoders: [counting] }, { prompt, guided: false });
  }
  assert.equal(counts, [1, 2, 1]);
});

const LONG = `${'tree '.repeat(80)}(fox:1.2)`;

test('A1111 fills shorter prompts up with chunks of the empty prompt', async () => {
  const [long, short] = await encodePrompts(
    SD15.encoders,
    [LONG, 'a tree'].map((text) => ({ texts: [text], layer: LAST })),
    'a1111',
  );
  if (!encoder || !long || !short) throw new Error('nothing encoded');
  assert.equal(
    [long.hiddenStates.shape, short.hiddenStates.shape],
    [
      [1, 154, 24],
      [1, 154, 24],
    ],
  );
  const empty = await encodeChunks(encoder, [emptyChunk(tokenizer)], { layer: LAST, weights: 'none' });
  assert.ok(largestDifference(short.hiddenStates.data.subarray(77 * 24), empty.hiddenStates.data) === 0);
});

test('ComfyUI repeats prompts up to the common multiple of their lengths', async () => {
  const three = 'tree '.repeat(160);
  const { cond, uncond } = await textConditioning(SD15, { prompt: [LONG, three], negative: 'fox' });
  assert.equal(cond.encoder_hidden_states?.shape, [2, 6 * 77, 24]);
  assert.equal(uncond?.encoder_hidden_states?.shape, [1, 6 * 77, 24]);
  const data = uncond?.encoder_hidden_states?.data ?? new Float32Array();
  for (let copy = 1; copy < 6; copy++) {
    assert.is(largestDifference(data.subarray(copy * 77 * 24, (copy + 1) * 77 * 24), data.subarray(0, 77 * 24)), 0);
  }
});

test('an encoder of fewer chunks than the other is filled up', async () => {
  const { cond } = await textConditioning(SDXL, { prompt: 'fox', prompt_2: LONG, guided: false });
  assert.equal(cond.encoder_hidden_states?.shape, [1, 154, 24]);
  assert.equal(cond.text_embeds?.shape, [1, 20]);
});

const MORE: readonly [prompt: string, comfyui: [string, number][], a1111: [string, number][]][] = [
  ['(a:1_0)', [['a', 10]], [['a:1_0', 1.1]]],
  ['(a:inf)', [['a:inf', 1.1]], [['a:inf', 1.1]]],
  ['()', [], [['', 1]]],
  ['(a:)', [['a:', 1.1]], [['a:', 1.1]]],
  ['\\', [['\\', 1]], [['', 1]]],
  ['éBREAK', [['éBREAK', 1]], [['éBREAK', 1]]],
];
for (const [prompt, comfyui, a1111] of MORE) {
  test(`at the edges: ${prompt}`, () => {
    const pairs = (parts: { text: string; weight: number }[]) => parts.map(({ text, weight }) => [text, weight]);
    assert.equal(pairs(parseComfyUIWeights(prompt)), comfyui);
    assert.equal(pairs(parseA1111Weights(prompt)), a1111);
  });
}

test('long prompts of nothing much take no long time to read', () => {
  const spaces = ' '.repeat(200_000);
  assert.equal(parseA1111Weights(`a${spaces}b`), [{ text: `a${spaces}b`, weight: 1 }]);
  assert.is(
    parseA1111Weights(`a${spaces}BREAK${spaces}b`)
      .map(({ text }) => text)
      .join(),
    'a,BREAK,b',
  );
  const digits = `(a:${'1'.repeat(200_000)}x)`;
  assert.is(parseComfyUIWeights(digits)[0]?.weight, 1.1);
  assert.is(parseA1111Weights(digits)[0]?.weight, 1.1);
  assert.is(promptChunks(tokenizer, 'tree '.repeat(30_000), 'comfyui').length, 400);
  assert.is(promptChunks(tokenizer, 'tree '.repeat(30_000), 'a1111').length, 400);
});

test('weights that cannot be are refused in one line', async () => {
  await failsWith('bad-input', /^prompt: the weight "1e999" is too large; weights are about 1$/, () =>
    parseComfyUIWeights('(a:1e999)'),
  );
  await failsWith('bad-input', /^prompt: has more than 100 brackets in each other/, () =>
    parseComfyUIWeights('('.repeat(5000) + ')'.repeat(5000)),
  );
  await failsWith('bad-input', /^prompt: the weight "1\.2\.3" is no number; /, () => parseA1111Weights('(a:1.2.3)'));
  assert.equal(parseA1111Weights('('.repeat(5000)), [{ text: '', weight: 1 }]);
});

test.run();
