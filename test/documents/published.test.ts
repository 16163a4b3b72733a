import { readdirSync, readFileSync } from 'node:fs';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { schemaFiles } from '../../scripts/schemas/registry.ts';
import { isObject } from '../../src/documents/index.ts';
import { DEFAULT_PARAMETERS, parseParameters } from '../../src/passes/slothful/index.ts';
import { type RunOutcome, type RunSource, runRecord, type StepRecord } from '../../src/pipeline/index.ts';
import { defaultConfig } from '../../src/sampling/index.ts';
import { sweepRecord } from '../../src/sweeps/index.ts';
import { publishedSchema } from '../support/published.ts';

const test = suite('published schemas');

const FILES = schemaFiles();
const committed = (name: string): string => readFileSync(new URL(`../../docs/schema/${name}`, import.meta.url), 'utf8');

test('no other schemas are published', () => {
  assert.equal(readdirSync(new URL('../../docs/schema/', import.meta.url)).sort(), [...FILES.keys()].sort());
});

for (const [name, text] of FILES) {
  test(`${name} is what its definition gives (npm run schemas)`, () => assert.is(committed(name), text));

  test(`${name} spells its fields in snake_case, and knows every field`, () => {
    const objects = objectTypes(JSON.parse(text));
    assert.ok(objects.length > 0);
    for (const { properties, additionalProperties } of objects) {
      for (const field of Object.keys(Object(properties))) assert.match(field, /^[a-z0-9]+(_[a-z0-9]+)*$/);
      assert.ok(properties ? additionalProperties === false : isObject(additionalProperties));
    }
  });
}

function objectTypes(value: unknown): Record<string, unknown>[] {
  if (Array.isArray(value)) return value.flatMap(objectTypes);
  if (!isObject(value)) return [];
  const inner = Object.values(value).flatMap(objectTypes);
  return value.type === 'object' ? [value, ...inner] : inner;
}

const SOURCE: RunSource = {
  version: '0',
  model: 'm',
  family: 'sd15',
  backend: { name: 'cpu', device: 'CPU' },
  prompt: null,
  negative_prompt: null,
  cond: 'cond.safetensors',
  uncond: null,
  companions: {
    controlnets: [{ model: 'canny', image: 'edges.png', scale: 0.7 }],
    controlnets_patched: true,
    image_embeds: 'image.safetensors',
    ip_adapter_scale: 0.6,
  },
};
const ROW = { window_rows: 2, window_columns: 2, mode: '2D_AVG', k_blend: 0, v_blend: 0 };
const SITE = { id: 'input.0.0.0', tokens: 64, kv_tokens: 16, stride: 3.2, stride_rows: 2, stride_columns: 2, ...ROW };
const STEP: StepRecord = {
  ...{ index: 0, timestep: 499.5, sigma: 14.6, milliseconds: 12.3 },
  ...{ kv_tokens: 16, tokens: 64, sites: [SITE] },
};
const PLAIN_STEP: StepRecord = { ...STEP, kv_tokens: null, tokens: null, sites: [] };
const SETTINGS = {
  ...{ rows: 8, columns: 8, batch: 1, scale: 8, steps: 1, guidance_scale: 7.5, seed: 1 },
  scheduler: defaultConfig('euler'),
};
const MEASURES = { psnr: null, ssim: 1, high_frequency_ratio: null, gradient_similarity: 1 };
const PICTURE = { width: 1, height: 1, rgba: new Uint8ClampedArray(4) };
const outcome = (step: StepRecord): RunOutcome => ({
  ...{ stopped: false, steps: [step], latents: undefined, predictedOriginal: undefined },
});

test('run.json: a whole run, and a plain one, are what the schema says', () => {
  const validate = publishedSchema('run-1');
  const whole = runRecord({
    ...{ source: SOURCE, settings: SETTINGS, parameters: parseParameters({ compat: 'comfyui' }) },
    ...{ outcome: outcome(STEP), plain: outcome(PLAIN_STEP), flops: { plain: 2e9, patched: 1e9 } },
    ...{ measures: [MEASURES], files: ['picture-1.png'] },
  });
  const plain = runRecord({
    ...{ source: SOURCE, settings: SETTINGS, parameters: null, outcome: outcome(PLAIN_STEP), files: [] },
  });
  for (const record of [whole, plain]) assert.ok(validate(record), JSON.stringify(validate.errors));
  const wrong = [
    { ...whole, steps: [{ ...STEP, kvTokens: 1 }] },
    { ...whole, settings: { ...SETTINGS, steps: 0 } },
  ];
  for (const record of wrong) assert.not(validate(record));
});

test('sweep.json: a sweep of one axis is what the schema says', () => {
  const validate = publishedSchema('sweep-1');
  const record = sweepRecord({
    ...{ source: SOURCE, axes: [{ name: 'in_strength', values: [{ text: '3', change: {} }] }], stopped: true },
    cells: [
      {
        cell: {
          column: 0,
          row: 0,
          values: { in_strength: '3' },
          request: {},
          passes: {},
          prompt: undefined,
          parameters: DEFAULT_PARAMETERS,
        },
        ...{ settings: SETTINGS, measures: MEASURES, kv_tokens: 16, milliseconds: 9, flops: { plain: 2, patched: 1 } },
        ...{ picture: PICTURE, plain: { picture: PICTURE, milliseconds: 10 } },
      },
    ],
    files: ['sheet.png'],
  });
  assert.ok(validate(record), JSON.stringify(validate.errors));
  assert.not(validate({ ...record, cells: [{ ...record.cells[0], milliseconds: '9' }] }));
});

test('parameters: what a file of them may say', () => {
  const validate = publishedSchema('parameters');
  for (const value of [{}, { in_strength: 8, compat: 'comfyui' }, DEFAULT_PARAMETERS]) assert.ok(validate(value));
  for (const value of [{ in_strenght: 8 }, { in_strength: 99 }, { in_mode: 'AVG' }, []]) assert.not(validate(value));
});

test.run();
