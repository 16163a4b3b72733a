import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import * as tf from '@tensorflow/tfjs-core';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { convertCheckpoint } from '../../converters/index.ts';
import { type LoadOptions, loadUNet, makePass, patchModel, readModel, slothful } from '../../src/node.ts';
import {
  appliedPasses,
  attentionNodes,
  type PassDefinition,
  readSlothfulMetadata,
  registerPass,
} from '../../src/passes/index.ts';
import { failsWith } from '../support/errors.ts';
import { fixturePath } from '../support/fixtures.ts';
import { largestDifference, pseudoRandom } from '../support/numbers.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { userPass } from '../support/user-pass.ts';

const test = suite('passes as peers');
const zeroMask = await userPass(fixturePath('passes/zero-mask.mjs'));
const temperature = await userPass(fixturePath('../docs/examples/temperature.mjs'));

const folder = temporaryFolder();
const at = (name: string) => join(folder, name);
const PARAMETERS = { in_strength: 8, out_k_blend: 0.5 };
const mask = () => makePass(zeroMask, { strength: 2 });

test.before(async () => {
  await convertCheckpoint(fixturePath('unet/sd15/diffusers'), at('plain'));
});

/** What a model answers, and the K/V tokens of its sites. */
async function answer(model: string, options: LoadOptions = {}, backend: 'wasm' | 'cpu' = 'wasm') {
  const unet = await loadUNet(at(model), { backend, ...options });
  const inputs = {
    sample: tf.tensor(pseudoRandom(2 * 16 * 8 * 4), [2, 16, 8, 4]),
    encoder_hidden_states: tf.tensor(pseudoRandom(2 * 5 * 24, 2), [2, 5, 24]),
  };
  try {
    const { out_sample, sites } = unet.predict({ ...inputs, timestep: 999 });
    const values = out_sample.dataSync().slice();
    out_sample.dispose();
    return { values, sites, passes: unet.passes };
  } finally {
    tf.dispose(Object.values(inputs));
    unet.dispose();
  }
}

const keys = (sites: ReadonlyArray<{ kvTokens: number }>) => sites.map(({ kvTokens }) => kvTokens);

test('neutral nodes answer what the attentions did that they replaced', async () => {
  const plain = await answer('plain');
  const done = await patchModel(at('plain'), at('neutral'), [attentionNodes()]);
  assert.equal(done.passes, ['attention']);
  const { graph } = await readModel(at('neutral'));
  const ops = [...graph.nodes].map(({ op }) => op);
  assert.is(ops.filter((op) => op === 'SlothfulAttention').length, 32);
  assert.not(ops.includes('Softmax'));
  assert.not(ops.includes('PlaceholderWithDefault'), 'and no control input, for there is nothing to control');
  for (const backend of ['wasm', 'cpu'] as const) {
    const neutral = await answer('neutral', {}, backend);
    assert.ok(largestDifference(neutral.values, plain.values) < 1e-5, backend);
  }
});

const ORDERS = [
  ['zero-mask, then slothful', () => [mask(), slothful(PARAMETERS)]],
  ['slothful, then zero-mask', () => [slothful(PARAMETERS), mask()]],
] as const;

for (const [title, passes] of ORDERS) {
  test(`${title}, in one go and in two: both act, and the answer is that of slothful alone`, async () => {
    const alone = await answer('plain', { slothful: PARAMETERS });
    const [first, second] = passes();
    assert.ok(first && second);
    await patchModel(at('plain'), at('together'), passes(), { force: true });
    await patchModel(at('plain'), at('first'), [first], { force: true });
    const again = await patchModel(at('first'), at('second'), [second], { force: true });
    assert.equal(again.passes, ['attention', second.name]);
    for (const model of ['together', 'second']) {
      const both = await answer(model);
      assert.ok(largestDifference(both.values, alone.values) < 1e-5, model);
      assert.equal(keys(both.sites), keys(alone.sites));
      assert.equal(Object.keys(both.passes).sort(), ['slothful', 'zero-mask']);
      assert.equal(both.sites[0]?.rows['zero-mask'], { strength: 2 });
      assert.is(both.sites[0]?.rows.slothful?.stride_rows, alone.sites[0]?.rows.slothful?.stride_rows);
    }
  });
}

test('each pass owns its columns of the control input, by name', async () => {
  const { graph } = await readModel(at('together'));
  const state = appliedPasses(graph);
  const { columns = [], control = '' } = state?.record ?? {};
  assert.equal(
    columns.filter((name) => name.startsWith('zero-mask.')),
    ['zero-mask.strength'],
  );
  assert.is(columns.filter((name) => name.startsWith('slothful.')).length, 7);
  assert.equal(graph.weight(graph.node(control)?.inputs[0]?.node ?? '')?.shape, [16, 8]);
});

test('a second application only changes the parameters', async () => {
  const { graph } = await readModel(at('together'));
  const before = JSON.stringify(graph.toJson().modelTopology);
  await graph.transform(makePass(zeroMask, { strength: 5 }), slothful({ in_strength: 3 }));
  assert.is(JSON.stringify(graph.toJson().modelTopology), before);
  assert.equal(
    appliedPasses(graph)
      ?.passes.map(({ definition, parameters }) => [definition.name, parameters.strength])
      .sort(),
    [
      ['slothful', undefined],
      ['zero-mask', 5],
    ],
  );
});

test('parameters of a peer change between predictions, and it can be turned off', async () => {
  const unet = await loadUNet(at('plain'), { backend: 'wasm', passes: [makePass(temperature, { temperature: 0.2 })] });
  const sample = tf.tensor(pseudoRandom(16 * 8 * 4), [1, 16, 8, 4]);
  const encoder_hidden_states = tf.tensor(pseudoRandom(5 * 24, 2), [1, 5, 24]);
  const values = (passes?: Parameters<typeof unet.setPasses>[0]) => {
    const { out_sample } = unet.predict({ sample, encoder_hidden_states, timestep: 999 }, { passes });
    const read = out_sample.dataSync().slice();
    out_sample.dispose();
    return read;
  };
  const tensors = tf.memory().numTensors;
  const [sharp, off, one] = [values(), values({ temperature: false }), values({ temperature: { temperature: 1 } })];
  assert.is(tf.memory().numTensors, tensors);
  assert.ok(largestDifference(sharp, off) > 1e-3, 'a temperature shows');
  assert.ok(largestDifference(off, one) < 1e-6, 'off is a temperature of 1');
  unet.setPasses({ temperature: { temperature: 1 } });
  assert.ok(largestDifference(values(), off) < 1e-6);
  await failsWith('bad-parameter', /temperature must be a number from 0.1 to 10, got 99/, async () =>
    unet.setPasses({ temperature: { temperature: 99 } }),
  );
  await failsWith('bad-parameter', /does not have the pass "zero-mask"/, async () =>
    unet.setPasses({ 'zero-mask': {} }),
  );
  tf.dispose([sample, encoder_hidden_states]);
  unet.dispose();
});

test('conflicts are found when a pass is applied, and named; the graph stays as it was', async () => {
  const { stage, ...rest } = zeroMask;
  assert.ok(stage);
  const pooling: PassDefinition = {
    ...rest,
    name: 'other-pooling',
    stage: { ...stage, name: 'other-pooling', effects: { changes: ['key'], needs: [] } },
  };
  const merging: PassDefinition = {
    ...rest,
    name: 'merging',
    stage: { ...stage, name: 'merging', effects: { changes: ['grid'], needs: [] } },
  };
  const { graph } = await readModel(at('together'));
  const before = JSON.stringify(graph.toJson());
  await failsWith('unsupported', /pass "other-pooling" after "slothful": both change "key"/, () =>
    graph.transform(makePass(pooling)),
  );
  await failsWith(
    'unsupported',
    /pass "merging" after "slothful": "merging" changes "grid", which "slothful" needs/,
    () => graph.transform(makePass(merging)),
  );
  assert.is(JSON.stringify(graph.toJson()), before);
});

test('models patched by 0.1 load, answer the same, and take a second pass', async () => {
  mkdirSync(at('first-version'), { recursive: true });
  const document = gunzipSync(readFileSync(fixturePath('patched-0.1/sd15.model.json.gz')));
  writeFileSync(at('first-version/model.json'), document);
  for (const [from, name] of [
    [fixturePath('patched-0.1/slothful-b0bb607da023.bin'), 'slothful-b0bb607da023.bin'],
    [at('plain/weights-00001.bin'), 'weights-00001.bin'],
  ] as const) {
    copyFileSync(from, at(`first-version/${name}`));
  }
  const alone = await answer('plain', { slothful: PARAMETERS });
  const old = await answer('first-version');
  assert.ok(largestDifference(old.values, alone.values) < 1e-6);
  assert.equal(keys(old.sites), keys(alone.sites));
  const { graph } = await readModel(at('first-version'));
  const read = readSlothfulMetadata(graph.metadata);
  assert.is(read?.parameters.in_strength, 8);
  assert.is(read?.sites.length, 16);

  await patchModel(at('first-version'), at('renewed'), [mask()]);
  const renewed = await answer('renewed');
  assert.ok(largestDifference(renewed.values, alone.values) < 1e-5);
  assert.equal(Object.keys(renewed.passes).sort(), ['slothful', 'zero-mask']);
  assert.is(renewed.sites[0]?.rows['zero-mask']?.strength, 2);
  const written = await readModel(at('renewed'));
  assert.is(written.graph.metadata.slothful, undefined, 'the record is that of today');
  assert.is(appliedPasses(written.graph)?.record.sites.length, 32);
});

const NONE: readonly (readonly [what: string, change: object | undefined, message: RegExp])[] = [
  ['nothing', undefined, /is not an object/],
  ['a name of capitals', { name: 'ZeroMask' }, /its name must be of lower case letters/],
  [
    'the name of a pass of the toolkit',
    { name: 'slothful', stage: undefined },
    /a pass of the toolkit is named "slothful"/,
  ],
  ['no version', { version: '1' }, /its version must be an integer/],
  ['no parameters', { parameters: undefined }, /its parameters must be an object/],
  ['a parameter without help', { parameters: { a: { type: 'boolean', default: true } } }, /"a": needs a line of help/],
  ['a parameter of another type', { parameters: { a: { type: 'date', help: 'a' } } }, /its type must be number/],
  ['a text without bounds', { parameters: { a: { type: 'text', help: 'a' } } }, /a text needs default and maxLength/],
  ['a stage of another name', { name: 'mask' }, /its name must be that of the pass, "mask"/],
  ['rows that are a list', { rows: [] }, /rows: must be a function/],
];

for (const [what, change, message] of NONE) {
  test(`refuses a definition with ${what}`, async () => {
    await failsWith('bad-input', message, async () => registerPass(change && { ...zeroMask, ...change }, 'here'));
  });
}

test.run();
