import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { JsonObject } from '../../src/graph/index.ts';
import {
  bothHalves,
  completeSettings,
  evaluatedBatch,
  promptConditioning,
  type RunRequest,
  tensorConditioning,
  withImageEmbeds,
  withTimeIds,
} from '../../src/pipeline/index.ts';
import { failsWith } from '../support/errors.ts';

const test = suite('settings of a run');

const EXTENT = { rows: 8, columns: 4, batch: 3, scale: 8 };
const complete = (metadata: JsonObject, request: RunRequest = {}, guidable = true) =>
  completeSettings(metadata, request, EXTENT, guidable);

const KARRAS = { _class_name: 'EulerDiscreteScheduler', use_karras_sigmas: true, timestep_spacing: 'trailing' };

type Row = readonly [title: string, metadata: JsonObject, request: RunRequest, expected: Record<string, unknown>];
const CHOSEN: readonly Row[] = [
  ['a model that says nothing', {}, {}, { type: 'ddim', steps: 20, guidance_scale: 5, seed: 0 }],
  ['sd15', { family: 'sd15' }, {}, { guidance_scale: 7.5 }],
  ['a model of pictures', { family: 'sd15', data_space: 'premultiplied-rgba' }, {}, { guidance_scale: 2 }],
  ["the model's own scheduler", { scheduler: KARRAS }, {}, { type: 'euler', sigmas: 'karras' }],
  ['another sampler keeps the spacing', { scheduler: KARRAS }, { sampler: 'ddim' }, { type: 'ddim', sigmas: 'normal' }],
  ['flags over the model', { scheduler: KARRAS }, { sigmas: 'normal', spacing: 'linspace' }, { sigmas: 'normal' }],
  ['v-prediction by flag', {}, { prediction_type: 'v_prediction' }, { prediction_type: 'v_prediction' }],
  ['LCM takes 4 steps and no guidance', {}, { sampler: 'lcm' }, { type: 'lcm', steps: 4, guidance_scale: 1 }],
  ['LCM as asked', {}, { sampler: 'lcm', steps: 8, guidance_scale: 1.5 }, { steps: 8, guidance_scale: 1.5 }],
  [
    'what a model suggests',
    { scheduler: KARRAS, suggested_scheduler: { _class_name: 'LCMScheduler' } },
    {},
    { type: 'lcm', steps: 4, guidance_scale: 1, timestep_spacing: 'trailing' },
  ],
  ['a suggestion in one word', { suggested_scheduler: 'LCMScheduler' }, {}, { type: 'lcm' }],
  [
    'a flag against what it suggests',
    { scheduler: KARRAS, suggested_scheduler: { _class_name: 'LCMScheduler' } },
    { sampler: 'euler' },
    { type: 'euler', steps: 20, sigmas: 'karras' },
  ],
  [
    'a sampler that only ComfyUI has',
    {},
    { sampler: 'heun' },
    { definitions: 'comfyui', type: 'heun', sigmas: 'normal' },
  ],
  ["its sigmas are the model's", { scheduler: KARRAS }, { sampler: 'heun' }, { type: 'heun', sigmas: 'karras' }],
  [
    "one that both have is diffusers'",
    {},
    { sampler: 'euler', sigmas: 'karras' },
    { type: 'euler', definitions: undefined },
  ],
  [
    'unless asked otherwise',
    {},
    { sampler: 'euler', definitions: 'comfyui' },
    { type: 'euler', definitions: 'comfyui' },
  ],
  [
    'sigmas that only ComfyUI has',
    {},
    { sampler: 'euler', sigmas: 'beta' },
    { definitions: 'comfyui', sigmas: 'beta' },
  ],
  [
    "a model of ComfyUI's LCM node",
    {},
    { sampler: 'lcm', model_sampling: 'lcm' },
    { definitions: 'comfyui', steps: 4 },
  ],
  [
    'prediction and betas stay',
    { scheduler: { prediction_type: 'v_prediction', beta_end: 0.01 } },
    { sampler: 'lms' },
    { prediction_type: 'v_prediction', beta_end: 0.01 },
  ],
  [
    'a seed above 2^53 keeps its digits',
    {},
    { seed: '18446744073709551557', rng: 'comfyui' },
    { seed: '18446744073709551557' },
  ],
  ['and a small one in digits is a number', {}, { seed: '42' }, { seed: 42 }],
  [
    'a class that is not built',
    { scheduler: { _class_name: 'DEISMultistepScheduler', algorithm_type: 'deis' } },
    {},
    { type: 'dpmpp_2m' },
  ],
  [
    'one that clips',
    { scheduler: { _class_name: 'DDPMScheduler', clip_sample: true } },
    {},
    { type: 'ddim', clip_sample: false },
  ],
  [
    'one that nobody knows',
    { scheduler: { _class_name: 'X', num_train_timesteps: 500 } },
    {},
    { type: 'ddim', num_train_timesteps: 500 },
  ],
  [
    'a sampler that was asked for',
    { scheduler: { _class_name: 'X', beta_end: 0.01 } },
    { sampler: 'euler' },
    { type: 'euler', beta_end: 0.01 },
  ],
  [
    'a prediction that was asked for',
    { scheduler: { prediction_type: 'sample' } },
    { prediction_type: 'epsilon' },
    { prediction_type: 'epsilon' },
  ],
  [
    'fields that are not built',
    { scheduler: { ...KARRAS, use_exponential_sigmas: true, sigma_max: 12 } },
    {},
    { type: 'euler', sigmas: 'karras' },
  ],
  [
    'zero terminal SNR',
    { scheduler: { ...KARRAS, rescale_betas_zero_snr: true } },
    { sampler: 'heun' },
    { rescale_betas_zero_snr: true },
  ],
];
for (const [title, metadata, request, expected] of CHOSEN) {
  test(title, () => {
    const { settings } = complete(metadata, request);
    const { scheduler, ...rest } = settings;
    const flat: Record<string, unknown> = { ...scheduler, ...rest };
    for (const [name, value] of Object.entries(expected)) assert.is(flat[name], value, name);
  });
}

test('choices that were made for the user are said', () => {
  assert.equal(complete({ family: 'sd15' }).notes, []);
  const suggested = complete({ suggested_scheduler: { _class_name: 'LCMScheduler' } });
  assert.match(suggested.notes.join(), /suggests the sampler lcm.*--sampler takes another/);
  const unguided = complete({ family: 'sd15' }, {}, false);
  assert.is(unguided.settings.guidance_scale, 1);
  assert.match(unguided.notes.join(), /without guidance.*--uncond/);
  assert.equal(complete({ family: 'sd15' }, { guidance_scale: 1 }, false).notes, []);
});

test('what stands for a scheduler that is not built is said, unless a sampler was asked for', () => {
  const scheduler = { _class_name: 'UniPCMultistepScheduler', use_beta_sigmas: true, trained_betas: [0.1] };
  const [whole, field, betas] = complete({ scheduler }).notes;
  assert.match(whole ?? '', /saved with UniPCMultistepScheduler; dpmpp_2m stands for it, --sampler takes another/);
  assert.match(`${field} ${betas}`, /trained_betas.*use_beta_sigmas|use_beta_sigmas.*trained_betas/);
  const asked = complete({ scheduler }, { sampler: 'ddim' }).notes;
  assert.is(asked.length, 1);
  assert.match(asked.join(), /trained_betas \[0\.1\], which is not built and left out/);
});

test('guidance doubles what the model evaluates, and what a pass perturbs comes beside it', () => {
  assert.is(evaluatedBatch(complete({}).settings, {}), 6);
  assert.is(evaluatedBatch(complete({}, { guidance_scale: 1 }).settings, {}), 3);
  assert.is(evaluatedBatch(complete({}).settings, { pag: { scale: 3 } }), 9);
  assert.is(evaluatedBatch(complete({}).settings, { pag: { scale: 0 } }), 6);
});

test('what no sampler can do is refused before anything is loaded', async () => {
  await failsWith('bad-parameter', /sigmas "karras" is not for ddim/, () => complete({}, { sigmas: 'karras' }));
  await failsWith('bad-parameter', /steps: must be an integer from 1 to 1000, got 0/, () => complete({}, { steps: 0 }));
  await failsWith('bad-parameter', /steps: .* to 50, got 51/, () => complete({}, { sampler: 'lcm', steps: 51 }));
});

test('what goes by one of the definitions is not taken for the other', async () => {
  const diffusers = { definitions: 'diffusers' } as const;
  await failsWith('bad-parameter', /sampler: "heun" is none by diffusers' definitions; take ComfyUI's/, () =>
    complete({}, { ...diffusers, sampler: 'heun' }),
  );
  await failsWith('bad-parameter', /sigmas: "beta" is none by diffusers' definitions/, () =>
    complete({}, { ...diffusers, sampler: 'euler', sigmas: 'beta' }),
  );
  const part = { add_noise: true, start_at_step: 0, end_at_step: 2, return_with_leftover_noise: true };
  await failsWith('bad-parameter', /part: is of ComfyUI's definitions/, () => complete({}, { sampler: 'euler', part }));
  await failsWith('bad-parameter', /seed: must be an integer from 0 to 9007199254740991/, () =>
    complete({}, { seed: '18446744073709551557' }),
  );
});

const text = { shape: [1, 2, 3], data: new Float32Array(6) };

test('tensors by name, or the only one there is', () => {
  const named = tensorConditioning(
    new Map([
      ['encoder_hidden_states', text],
      ['text_embeds', text],
    ]),
    'f',
  );
  assert.equal(Object.keys(named), ['encoder_hidden_states', 'text_embeds']);
  assert.is(tensorConditioning(new Map([['prompt', text]]), 'f').encoder_hidden_states?.data, text.data);
  const flat = tensorConditioning(new Map([['x', { shape: [2, 3], data: text.data }]]), 'f');
  assert.equal(flat.encoder_hidden_states?.shape, [1, 2, 3]);
});

test('tensors that cannot be the text', async () => {
  const two = new Map([
    ['a', text],
    ['b', text],
  ]);
  await failsWith('bad-input', /^f: has 2 tensors \(a, b\); give one, or name/, () => tensorConditioning(two, 'f'));
  await failsWith('bad-input', /has 0 tensors \(none\)/, () => tensorConditioning(new Map(), 'f'));
  const wide = new Map([['a', { shape: [6], data: text.data }]]);
  await failsWith('bad-input', /tensor "a": is \[6\]; text is \[B, T, C\]/, () => tensorConditioning(wide, 'f'));
});

test('tensors as encode_prompt of diffusers names them, both halves in one file', () => {
  const tensors = new Map([
    ['prompt_embeds', text],
    ['negative_prompt_embeds', { ...text, data: new Float32Array(6).fill(1) }],
    ['pooled_prompt_embeds', { shape: [1, 2], data: Float32Array.of(1, 2) }],
    ['negative_pooled_prompt_embeds', { shape: [1, 2], data: Float32Array.of(3, 4) }],
  ]);
  const both = bothHalves(tensors);
  assert.ok(both);
  const [cond, uncond] = [tensorConditioning(both.cond, 'f'), tensorConditioning(both.uncond, 'f')];
  assert.equal([Object.keys(cond), Object.keys(uncond)], Array(2).fill(['encoder_hidden_states', 'text_embeds']));
  assert.equal([...(uncond.text_embeds?.data ?? [])], [3, 4]);
  assert.is(bothHalves(new Map([['prompt_embeds', text]])), undefined);
});

/** What a file has, and what the UNet is given of it: the image, and what it is guided away from. */
const EMBEDS: readonly [
  name: string,
  tensors: Record<string, number[]>,
  shape: number[],
  image: number[],
  away: number[],
][] = [
  ['[B, D]', { image_embeds: [1, 2] }, [1, 2], [1, 2], [0, 0]],
  ['[B, 1, D]', { image_embeds: [1, 2] }, [1, 1, 2], [1, 2], [0, 0]],
  ["diffusers' name", { ip_adapter_image_embeds: [1, 2] }, [1, 1, 2], [1, 2], [0, 0]],
  ['a negative of its own', { image_embeds: [1, 2], negative_image_embeds: [3, 4] }, [1, 1, 2], [1, 2], [3, 4]],
  ['both in one, the negative first', { image_embeds: [3, 4, 1, 2] }, [2, 1, 2], [1, 2], [3, 4]],
];
for (const [name, values, shape, image, away] of EMBEDS) {
  test(`an image's embeddings as ${name}`, () => {
    const tensors = new Map(
      Object.entries(values).map(([key, data]) => [key, { shape, data: Float32Array.from(data) }]),
    );
    const told = withImageEmbeds({ cond: {}, uncond: {} }, tensors, 'f');
    assert.equal(
      [told.cond.image_embeds?.shape, told.uncond?.image_embeds?.shape],
      [
        [1, 2],
        [1, 2],
      ],
    );
    assert.equal([...(told.cond.image_embeds?.data ?? [])], image);
    assert.equal([...(told.uncond?.image_embeds?.data ?? [])], away);
  });
}

test('several images a prompt are refused by their number', () =>
  failsWith('unsupported', /^f: "image_embeds" \[1, 2, 3\] is of 2 images a prompt, and one is built/, () =>
    withImageEmbeds({ cond: {} }, new Map([['image_embeds', { shape: [1, 2, 3], data: new Float32Array(6) }]]), 'f'),
  ));

test("hidden states of an image, [B, tokens, D]: of one image, with a black one's to be guided away from", async () => {
  const values = (...shape: number[]) => {
    return { shape, data: Float32Array.from({ length: shape.reduce((a, b) => a * b) }, (_, index) => index) };
  };
  const told = (tensors: Record<string, ReturnType<typeof values>>) =>
    withImageEmbeds({ cond: {}, uncond: {} }, new Map(Object.entries(tensors)), 'f', 3);
  const both = told({ image_embeds: values(2, 1, 3, 2) });
  assert.equal(both.cond.image_embeds, { shape: [1, 3, 2], data: Float32Array.from([6, 7, 8, 9, 10, 11]) });
  assert.equal([...(both.uncond?.image_embeds?.data ?? [])], [0, 1, 2, 3, 4, 5]);
  const named = told({ image_embeds: values(2, 3, 2), negative_image_embeds: values(2, 3, 2) });
  assert.equal([named.cond.image_embeds?.shape, named.uncond?.image_embeds?.shape], Array(2).fill([2, 3, 2]));
  const unguided = withImageEmbeds({ cond: {} }, new Map([['image_embeds', values(1, 1, 3, 2)]]), 'f', 3);
  assert.equal(unguided.cond.image_embeds?.shape, [1, 3, 2]);
  await failsWith('bad-input', /has no "negative_image_embeds".*black image/, () =>
    told({ image_embeds: values(1, 3, 2) }),
  );
  await failsWith('unsupported', /is of 2 images a prompt/, () => told({ image_embeds: values(1, 2, 3, 2) }));
});

test('a prompt is guided away from the empty one, or from another', () => {
  const table = {
    vocab: new Map([['a', 1]]),
    length: 1,
    prompts: [],
    token_embedding: { shape: [2, 1], data: Float32Array.from([0, 5]) },
    position_embedding: { shape: [1, 1], data: Float32Array.from([1]) },
  };
  const value = (negative?: string) => promptConditioning(table, 'a', negative).uncond?.encoder_hidden_states?.data[0];
  assert.is(promptConditioning(table, 'a').cond.encoder_hidden_states?.data[0], 6);
  assert.equal([value(), value('a')], [1, 6]);
});

test('time_ids are made where the model takes them and none are given', () => {
  const conditioning = { cond: { encoder_hidden_states: text } };
  const pixels = { width: 64, height: 32 };
  assert.is(withTimeIds(conditioning, ['sample'], pixels).cond.time_ids, undefined);
  const made = withTimeIds(conditioning, ['sample', 'time_ids'], pixels);
  assert.equal([...(made.cond.time_ids?.data ?? [])], [32, 64, 0, 0, 32, 64]);
  const own = { shape: [1, 6], data: new Float32Array(6) };
  assert.is(withTimeIds({ cond: { time_ids: own } }, ['time_ids'], pixels).cond.time_ids, own);
});

test.run();
