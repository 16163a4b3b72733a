import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { convertCheckpoint } from '../../converters/index.ts';
import { readModel, writeModel } from '../../src/models/node.ts';
import { slothful } from '../../src/passes/index.ts';
import { UNTOUCHED } from '../../src/passes/slothful/index.ts';
import type { HookStep, UNet, UNetInputs } from '../../src/runtime/index.ts';
import { loadUNet } from '../../src/runtime/node.ts';
import { failsWith } from '../support/errors.ts';
import { fixturePath } from '../support/fixtures.ts';
import { largestDifference, pseudoRandom } from '../support/numbers.ts';
import { temporaryFolder } from '../support/temporary.ts';

const test = suite('UNet');
const folder = join(temporaryFolder(), 'sd15');
const patchedFolder = join(temporaryFolder(), 'patched');
const backend = 'wasm';
let plain: UNet;
let patched: UNet;
let inputs: { sample: tf.Tensor; timestep: number; encoder_hidden_states: tf.Tensor };

test.before(async () => {
  await convertCheckpoint(fixturePath('unet/sd15/diffusers'), folder);
  const file = await readModel(folder);
  await file.loadConstants();
  await writeModel(await file.graph.transform(slothful({ in_strength: 12 })), patchedFolder, { shardsFrom: file });
  plain = await loadUNet(folder, { backend });
  patched = await loadUNet(folder, { backend, slothful: {} });
  inputs = {
    sample: tf.tensor(pseudoRandom(2 * 16 * 8 * 4), [2, 16, 8, 4]),
    timestep: 999,
    encoder_hidden_states: tf.tensor(pseudoRandom(2 * 5 * 24, 2), [2, 5, 24]),
  };
});

test.after(() => {
  plain.dispose();
  patched.dispose();
  tf.dispose([inputs.sample, inputs.encoder_hidden_states]);
});

type Options = Parameters<UNet['predict']>[1];

function run(unet: UNet, options?: Options, changes: Partial<UNetInputs> = {}) {
  const { out_sample, sites } = unet.predict({ ...inputs, ...changes }, options);
  const values = out_sample.dataSync().slice();
  const { shape } = out_sample;
  out_sample.dispose();
  return { values, shape, kv: sites.map(({ kvTokens }) => kvTokens), sites };
}

test('a plain model predicts, and reports no sites', () => {
  const { shape, sites, values } = run(plain);
  assert.equal(shape, [2, 16, 8, 4]);
  assert.equal(sites, []);
  assert.ok(values.every(Number.isFinite));
});

test('a patched one that is not to pool gives the same', () => {
  const expected = run(plain).values;
  assert.ok(largestDifference(run(patched, { slothful: false }).values, expected) < 1e-5);
  const parameters = { in_strength: 0, out_strength: 0 };
  assert.ok(largestDifference(run(patched, { parameters }).values, expected) < 1e-5);
  assert.ok(largestDifference(run(patched).values, expected) > 1e-3, 'and else it does not');
});

test('sites are reported in the order of the control table', () => {
  const { sites } = run(patched);
  assert.is(sites.length, 16);
  const row = { stride_rows: 2, stride_columns: 3, window_rows: 2, window_columns: 3, mode: 2, k_blend: 0, v_blend: 0 };
  const expected = {
    id: 'input.0.0.0',
    tokens: 128,
    queries: 128,
    kvTokens: 16,
    items: 1,
    logitsBytes: 128 * 16 * 4,
    pooled: true,
  };
  assert.equal(sites[0], { ...expected, rows: { slothful: row } });
  assert.is(
    sites.filter(({ id }) => id.startsWith('middle')).every(({ pooled }) => !pooled),
    true,
  );
});

test('layout nchw is the same prediction with other axes', () => {
  const expected = run(patched).values;
  const sample = tf.transpose(inputs.sample, [0, 3, 1, 2]);
  const { out_sample } = patched.predict({ ...inputs, sample }, { layout: 'nchw' });
  assert.equal(out_sample.shape, [2, 4, 16, 8]);
  const back = tf.transpose(out_sample, [0, 2, 3, 1]);
  assert.is(largestDifference(back.dataSync(), expected), 0);
  tf.dispose([sample, out_sample, back]);
});

test('a timestep may be a number, a scalar or a list', () => {
  const expected = run(patched).values;
  for (const timestep of [tf.scalar(999), tf.tensor1d([999, 999]), tf.tensor1d([999, 999], 'int32')]) {
    assert.is(largestDifference(run(patched, {}, { timestep }).values, expected), 0);
    timestep.dispose();
  }
});

test("the first image's sigma serves the batch", () => {
  const timestep = tf.tensor1d([999, 1]);
  assert.equal(run(patched, {}, { timestep }).kv, run(patched).kv);
  timestep.dispose();
});

test('sigma goes before the timestep', () => {
  assert.is(run(patched, { sigma: 0.05 }).kv[0], 128, 'late: nothing is pooled');
  assert.is(run(patched, { sigma: 14.6 }, { timestep: 1 }).kv[0], 16, 'early: pooled');
  assert.is(run(patched, {}, { timestep: 1 }).kv[0], 128);
});

test('parameters change between steps, or for one', () => {
  const usual = run(patched).kv[0];
  assert.is(run(patched, { parameters: { in_strength: 16 } }).kv[0], 8);
  assert.is(run(patched).kv[0], usual, 'for one prediction only');
  patched.setParameters({ in_strength: 16 });
  assert.is(run(patched).kv[0], 8);
  assert.is(patched.parameters?.in_strength, 16);
  assert.is(patched.parameters?.out_strength, 4, 'the others stay');
  patched.setParameters({ in_strength: undefined });
  assert.is(run(patched).kv[0], usual, 'undefined: the default');
});

test('parameters out of range are refused and change nothing', async () => {
  const before = patched.parameters;
  await failsWith('bad-parameter', /in_strength.*99/, () => patched.setParameters({ in_strength: 99 }));
  await failsWith('bad-parameter', /out_k_blend/, () => run(patched, { parameters: { out_k_blend: -1 } }));
  assert.equal(patched.parameters, before);
  await failsWith('bad-parameter', /is not patched, so it has no parameters/, () => plain.setParameters({}));
  await failsWith('bad-parameter', /is not patched/, () => run(plain, { parameters: {} }));
});

test('a hook decides, and is told what there is to know', () => {
  const steps: HookStep[] = [];
  patched.setHook((step) => {
    steps.push(step);
    return step.sites.map((_, row) => (row === 3 ? { ...UNTOUCHED, strideRows: 2 } : UNTOUCHED));
  });
  const { kv, sites } = run(patched, { stepIndex: 7 });
  patched.setHook(undefined);
  assert.is(kv[3], (sites[3]?.tokens ?? 0) / 2);
  assert.is(sites.filter(({ pooled }) => pooled).length, 1);
  const [step] = steps;
  assert.is(steps.length, 1);
  assert.equal(step?.latent, { height: 16, width: 8 });
  assert.equal([step?.timestep, step?.stepIndex, step?.top, step?.deep], [999, 7, 1, 8]);
  assert.ok(Math.abs((step?.sigma ?? 0) - 14.6146) < 1e-3);
  assert.is(step?.sites.length, 16);
  assert.is(run(patched).kv[0], 16, 'the first hook is back');
});

test('a hook that returns nonsense is named', async () => {
  const bad: [unknown, RegExp][] = [
    [[UNTOUCHED], /hook: returned 1 rows for 16 sites/],
    [undefined, /hook: returned no rows but undefined/],
    [Array(16).fill({ ...UNTOUCHED, strideRows: 0.5 }), /stride rows must be an integer from 1, got 0\.5/],
  ];
  for (const [rows, message] of bad) {
    const hook = JSON.stringify(rows) ?? 'undefined';
    patched.setHook(new Function(`return ${hook}`) as never);
    await failsWith('bad-input', message, () => run(patched));
  }
  patched.setHook(undefined);
});

test('a patched model on disk has its own parameters, and takes others', async () => {
  const kv = [];
  for (const options of [{}, { slothful: true as const }, { slothful: { in_strength: 6 } }]) {
    const unet = await loadUNet(patchedFolder, { backend, ...options });
    kv.push(run(unet).kv[0]);
    unet.dispose();
  }
  assert.equal(kv, [10, 10, 16]);
});

test('inputs that do not fit are named, with what is expected', async () => {
  const tensors = tf.tidy(() => ({
    int: tf.keep(tf.cast(inputs.sample, 'int32')),
    first: tf.keep(tf.transpose(inputs.sample, [0, 3, 1, 2])),
    flat: tf.keep(tf.reshape(inputs.sample, [2, -1, 4])),
    wide: tf.keep(tf.zeros([2, 5, 25])),
    one: tf.keep(tf.zeros([1, 5, 24])),
    three: tf.keep(tf.zeros([3])),
    none: tf.keep(tf.zeros([0, 16, 8, 4])),
  }));
  const cases: [Record<string, tf.Tensor | number | undefined>, RegExp][] = [
    [{ sample: tensors.int }, /input "sample": is int32, and the model takes float32/],
    [
      { sample: tensors.first },
      /"sample": is \[2, 4, 16, 8\], .* takes \[\?, \?, \?, 4\]; its channels come first.*nchw/,
    ],
    [{ sample: tensors.flat }, /"sample": is \[2, 128, 4\]/],
    [{ sample: tensors.none }, /"sample": has no elements/],
    [{ encoder_hidden_states: tensors.wide }, /"encoder_hidden_states": is \[2, 5, 25\].*\[\?, \?, 24\]/],
    [{ encoder_hidden_states: tensors.one }, /is for 1 images \(\[1, 5, 24\]\), and the sample has 2/],
    [{ encoder_hidden_states: undefined }, /"encoder_hidden_states": is missing; feed .* float32 \[\?, \?, 24\]/],
    [{ encoder_hidden_states: 3 }, /"encoder_hidden_states": is a number; feed a tensor/],
    [{ text_embeds: tensors.one }, /"text_embeds": is not an input of this model; it has "sample"/],
    [{ timestep: undefined }, /"timestep": is missing/],
    [{ sample: undefined }, /"sample": is missing/],
    [{ timestep: tensors.three }, /"timestep": is for 3 images \(\[3\]\), and the sample has 2/],
    [{ timestep: Number.NaN }, /timestep.*NaN/],
  ];
  const before = tf.memory().numTensors;
  for (const [changes, message] of cases)
    await failsWith('bad-input', message, () => run(patched, {}, changes as never));
  await failsWith('bad-input', /sigma: must be 0 or more, got -1/, () => run(patched, { sigma: -1 }));
  const nchw = () => run(patched, { layout: 'nchw' });
  await failsWith('bad-input', /its channels come last: say layout "nhwc"/, nchw);
  assert.is(tf.memory().numTensors, before, 'failures leave nothing');
  tf.dispose(tensors);
});

test('no tensor is left over 100 predictions', () => {
  const sample = tf.zeros([1, 4, 4, 4]);
  const encoder_hidden_states = tf.zeros([1, 2, 24]);
  const before = tf.memory().numTensors;
  for (let step = 0; step < 100; step++) {
    const parameters = { in_v_blend: (step % 3) / 2, out_mode: '2D_MAX' } as const;
    patched.predict({ sample, encoder_hidden_states, timestep: 999 - step * 9 }, { parameters }).out_sample.dispose();
  }
  assert.is(tf.memory().numTensors, before);
  tf.dispose([sample, encoder_hidden_states]);
});

test.run();
