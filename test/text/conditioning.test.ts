import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { timeIds, withSizes } from '../../src/sampling/index.ts';
import { hiddenLayer, type PromptRequest, type PromptWeights, textConditioning } from '../../src/text/index.ts';
import { failsWith } from '../support/errors.ts';
import { largestDifference } from '../support/numbers.ts';
import { golden, SD15, SDXL, type SizesCase, TEXT_CASES, tokenizer } from '../support/text-goldens.ts';

const test = suite('text conditioning');

const isZero = (data: Float32Array | undefined) => data?.every((value) => value === 0);

for (const { name, prompt, negative, encoder_hidden_states, text_embeds } of TEXT_CASES.runs) {
  for (const weights of ['none', 'comfyui'] as const) {
    test(`as diffusers: ${name}, weights ${weights}`, async () => {
      const model = name.startsWith('sdxl') ? SDXL : SD15;
      const { cond, uncond } = await textConditioning(model, { prompt, negative, weights });
      const halves = [uncond, cond];
      for (const [row, half] of halves.entries()) {
        const states = golden(encoder_hidden_states, row);
        assert.ok(largestDifference(half?.encoder_hidden_states?.data ?? [], states) < 1e-4);
        assert.is(half?.text_embeds === undefined, text_embeds === undefined);
        if (text_embeds) assert.ok(largestDifference(half?.text_embeds?.data ?? [], golden(text_embeds, row)) < 1e-4);
      }
    });
  }
}

const prompts = TEXT_CASES.text[0]?.prompts ?? [];

test('SD1.5 takes the last layer, with clip skip 2 the penultimate, both with the norm', async () => {
  for (const [clipSkip, name] of [
    [1, 'sd15.text_encoder.last'],
    [2, 'sd15.text_encoder.penultimate_norm'],
  ] as const) {
    for (const weights of ['none', 'a1111'] as const) {
      const { cond, uncond } = await textConditioning(SD15, { prompt: prompts.slice(0, 3), clipSkip, weights });
      const expected = [0, 1, 2].map((row) => golden(name, row));
      const size = 77 * 24;
      for (const [row, states] of expected.entries()) {
        const data = cond.encoder_hidden_states?.data.subarray(row * size, (row + 1) * size) ?? [];
        assert.ok(largestDifference(data, states) < 1e-4, `${name} ${row}`);
      }
      const negative = golden(weights === 'none' ? 'sd15.text_encoder.last' : name, 0);
      assert.ok(largestDifference(uncond?.encoder_hidden_states?.data ?? [], negative) < 1e-4, 'the negative prompt');
    }
  }
});

test("diffusers' clip skip takes an earlier layer of both of SDXL's encoders, not for the negative prompt", async () => {
  const request = { prompt: prompts[1] ?? '', clipSkip: 2, weights: 'none' as const };
  const { cond, uncond } = await textConditioning(SDXL, request);
  const data = cond.encoder_hidden_states?.data ?? new Float32Array();
  const columns = (from: number, to: number) => data.filter((_, index) => index % 24 >= from && index % 24 < to);
  assert.ok(largestDifference(columns(0, 8), golden('sdxl.text_encoder.antepenultimate', 1)) < 1e-4);
  assert.ok(largestDifference(columns(8, 24), golden('sdxl.text_encoder_2.antepenultimate', 1)) < 1e-4);
  assert.ok(largestDifference(cond.text_embeds?.data ?? [], golden('sdxl.text_encoder_2.text_embeds', 1)) < 1e-4);
  const plain = await textConditioning(SDXL, { ...request, clipSkip: undefined });
  assert.equal(uncond?.encoder_hidden_states?.data, plain.uncond?.encoder_hidden_states?.data);
});

const LAYERS: readonly [encoders: number, PromptWeights, number | undefined, skip: number, negativeSkip: number][] = [
  [1, 'comfyui', undefined, 0, 0],
  [1, 'comfyui', 2, 1, 1],
  [1, 'a1111', 2, 1, 1],
  [1, 'none', 2, 1, 0],
  [2, 'comfyui', undefined, 1, 1],
  [2, 'comfyui', 1, 1, 1],
  [2, 'comfyui', 2, 1, 1],
  [2, 'comfyui', 3, 2, 2],
  [2, 'a1111', 3, 1, 1],
  [2, 'a1111-no-norm', 3, 1, 1],
  [2, 'none', undefined, 1, 1],
  [2, 'none', 2, 2, 1],
];
for (const [encoders, weights, clipSkip, skip, negativeSkip] of LAYERS) {
  test(`layers of ${encoders} encoders, ${weights}, clip skip ${clipSkip}`, () => {
    const norm = encoders === 1;
    assert.equal(hiddenLayer(encoders, { weights, clipSkip }), { skip, norm });
    assert.equal(hiddenLayer(encoders, { weights, clipSkip }, true), { skip: negativeSkip, norm });
  });
}

const ZEROED: readonly [name: string, zeroNegative: boolean, Omit<PromptRequest, 'prompt'>, zeroed: boolean][] = [
  ['none given, the model says so', true, {}, true],
  ['none given, diffusers', true, { weights: 'none' }, true],
  ['none given, the model does not say so', false, {}, false],
  ['an empty one', true, { negative: '' }, false],
  ['a text', true, { negative: 'blurry' }, false],
  ['an empty one, A1111', false, { negative: '', weights: 'a1111' }, true],
  ['a text, A1111', true, { negative: 'blurry', weights: 'a1111' }, false],
];
for (const [name, zeroNegative, request, zeroed] of ZEROED) {
  test(`negative prompt of SDXL: ${name}`, async () => {
    const { cond, uncond } = await textConditioning({ ...SDXL, zeroNegative }, { prompt: 'a tree', ...request });
    assert.is(isZero(uncond?.encoder_hidden_states?.data), zeroed);
    assert.is(isZero(uncond?.text_embeds?.data), zeroed);
    assert.equal(uncond?.encoder_hidden_states?.shape, cond.encoder_hidden_states?.shape);
    assert.equal(uncond?.text_embeds?.shape, cond.text_embeds?.shape);
  });
}

test('SD1.5 never takes zeros', async () => {
  const { uncond } = await textConditioning({ ...SD15, zeroNegative: true }, { prompt: 'a tree' });
  assert.not(isZero(uncond?.encoder_hidden_states?.data));
});

test('prompt_2 and negative_2 go to the second encoder alone', async () => {
  const request = { prompt: 'fox', prompt_2: 'tree', negative: 'a', negative_2: 'b' };
  const both = await textConditioning(SDXL, request);
  const first = await textConditioning(SDXL, { prompt: 'fox', negative: 'a' });
  const second = await textConditioning(SDXL, { prompt: 'tree', negative: 'b' });
  for (const half of ['cond', 'uncond'] as const) {
    const states = (each: typeof both) => each[half]?.encoder_hidden_states?.data ?? new Float32Array();
    const expected = states(first).map((value, at) => (at % 24 < 8 ? value : (states(second)[at] ?? 0)));
    assert.equal(states(both), expected);
    assert.equal(both[half]?.text_embeds, second[half]?.text_embeds);
  }
});

test('a batch is its prompts, one after the other; unguided there is no negative', async () => {
  const { cond, uncond } = await textConditioning(SDXL, { prompt: ['fox', 'tree'], guided: false });
  const tree = await textConditioning(SDXL, { prompt: 'tree', guided: false });
  assert.is(uncond, undefined);
  assert.equal(cond.encoder_hidden_states?.shape, [2, 77, 24]);
  assert.equal(cond.encoder_hidden_states?.data.subarray(77 * 24), tree.cond.encoder_hidden_states?.data);
  assert.equal(cond.text_embeds?.data.subarray(20), tree.cond.text_embeds?.data);
});

const extent = ([height, width]: readonly [number, number]) => ({ height, width });
const sizesOf = (each: SizesCase) => ({
  original: each.original_size && extent(each.original_size),
  crop: each.crops && { top: each.crops[0], left: each.crops[1] },
  target: each.target_size && extent(each.target_size),
});

for (const each of TEXT_CASES.sizes) {
  test(`time_ids as diffusers: ${each.name}`, () => {
    const negative = sizesOf({
      ...each,
      original_size: each.negative_original_size,
      crops: each.negative_crops,
      target_size: each.negative_target_size,
    } as SizesCase);
    const { cond, uncond } = withSizes({ cond: {}, uncond: {} }, extent(each.size), { ...sizesOf(each), negative });
    assert.equal([...(uncond?.time_ids?.data ?? [])], each.time_ids[0]);
    assert.equal([...(cond.time_ids?.data ?? [])], each.time_ids[1]);
  });
}

test('time_ids are one row of six', () => {
  assert.equal(timeIds({ height: 768, width: 512 }), {
    shape: [1, 6],
    data: Float32Array.of(768, 512, 0, 0, 768, 512),
  });
  assert.is(withSizes({ cond: {} }, { height: 8, width: 8 }).uncond, undefined);
});

const ask = (request: PromptRequest) => () => textConditioning(SDXL, request);

test('what does not fit is refused in one line', async () => {
  await failsWith('bad-input', /^prompts: there are none/, ask({ prompt: [] }));
  await failsWith(
    'bad-input',
    /^negative prompts: are 3, and there are 2/,
    ask({ prompt: ['a', 'b'], negative: ['', '', ''] }),
  );
  await failsWith(
    'bad-input',
    /are 3 for the second text encoder and 2/,
    ask({ prompt: ['a', 'b'], prompt_2: ['', '', ''] }),
  );
  for (const clipSkip of [0, -1, 1.5, Number.NaN]) {
    await failsWith('bad-parameter', /^clip skip: must be a whole number from 1/, ask({ prompt: 'a', clipSkip }));
  }
  const hiddenStates = { shape: [1, 76, 4], data: new Float32Array(76 * 4) };
  const short = { encoders: [{ tokenizer, encode: () => ({ hiddenStates }) }] };
  const message = /^text encoder: gave \[1,76,4\] for 1 chunks; it must give \[1, 77, C\]$/;
  await failsWith('bad-model', message, () => textConditioning(short, { prompt: 'a' }));
});

test.run();
