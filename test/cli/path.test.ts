import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { decodePng } from '../../src/pictures/node.ts';
import { writeSafetensors } from '../../src/tensors/node.ts';
import { slothfulHere as slothful } from '../support/cli.ts';
import { largestDifference } from '../support/numbers.ts';
import { readSafetensors } from '../support/safetensors.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { unetGoldens } from '../support/unet-goldens.ts';

const test = suite('the whole path on the command line');

const folder = temporaryFolder();
const at = (name: string) => join(folder, name);
const goldens = unetGoldens('sd15');
const GOLDEN = goldens.regular.find((each) => each.out === '32x32.t601.defaults');

async function run(...args: string[]) {
  const result = await slothful(args);
  assert.is(result.code, 0, result.stderr);
  return result;
}

test('converts, and says what it wrote', async () => {
  const { stdout } = await run('convert', goldens.diffusers, at('plain'), '--json');
  const summary = JSON.parse(stdout);
  assert.is(summary.family, 'sd15');
  assert.is(summary.weights, 718);
  assert.is(summary.bytes, statSync(at('plain/weights-00001.bin')).size);
});

test('inspects the model.json', async () => {
  const { stdout } = await run('inspect', at('plain'), '--json');
  const { sites } = JSON.parse(stdout);
  const kinds = sites.map((site: { kind: string }) => site.kind);
  assert.is(kinds.filter((kind: string) => kind === 'self').length, 16);
  assert.is(kinds.filter((kind: string) => kind === 'cross').length, 16);
});

test('patches, and shares the weights on disk', async () => {
  const { stdout } = await run('patch', at('plain'), at('patched'), '--in-strength', '8', '--out_k_blend', '0.5');
  assert.match(stdout, /16 self-attentions patched, 1 shard\(s\) linked/);
  assert.is(statSync(at('patched/weights-00001.bin')).ino, statSync(at('plain/weights-00001.bin')).ino);
  const { passes } = JSON.parse(readFileSync(at('patched/model.json'), 'utf8')).userDefinedMetadata;
  const { options: parameters } = passes.find(({ name }: { name: string }) => name === 'slothful');
  assert.is(parameters.in_strength, 8);
  assert.is(parameters.out_k_blend, 0.5);
  assert.is(parameters.out_strength, 4);
});

test('patching a patched model gives it the new parameters, and says so', async () => {
  const { stderr } = await run('patch', at('patched'), at('again'), '--params', workflow());
  assert.match(stderr, /patched already; its parameters were replaced/);
  const before = JSON.parse(readFileSync(at('patched/model.json'), 'utf8'));
  const after = JSON.parse(readFileSync(at('again/model.json'), 'utf8'));
  assert.equal(after.modelTopology, before.modelTopology);
  assert.not.equal(after.userDefinedMetadata.passes, before.userDefinedMetadata.passes);
  assert.equal(after.userDefinedMetadata.attention, before.userDefinedMetadata.attention);
});

function workflow(): string {
  return fileURLToPath(new URL('../../fixtures/workflow/workflow_sa.json', import.meta.url));
}

for (const layout of ['nchw', 'nhwc'] as const) {
  test(`predicts from tensors to tensors (${layout}), with the K/V tokens of every site`, async () => {
    assert.ok(GOLDEN?.kv_tokens);
    const sample = goldens.tensor('32x32.sample');
    const context = goldens.tensor('32x32.encoder_hidden_states');
    await writeSafetensors(
      at('in.safetensors'),
      new Map([
        ['sample', layout === 'nchw' ? sample : toLast(sample)],
        ['encoder_hidden_states', context],
      ]),
    );
    const files = ['--inputs', at('in.safetensors'), '--out', at('out.safetensors'), '--force'];
    const parameters = ['--in-strength', '6', '--out-strength', '4'];
    const args = ['--timestep', '601', '--layout', layout, '--backend', 'wasm', '--json'];
    const { stdout } = await run('predict', at('plain'), ...files, ...parameters, ...args);
    const { sites } = JSON.parse(stdout);
    const counts = sites.map((site: { tokens: number; kv_tokens: number }) => [site.tokens, site.kv_tokens]);
    assert.equal(counts, Object.values(GOLDEN.kv_tokens));
    const out = readSafetensors(at('out.safetensors')).get('out_sample');
    const expected = goldens.tensor(GOLDEN.out);
    const wanted = layout === 'nchw' ? expected : toLast(expected);
    assert.equal(out?.shape, wanted.shape);
    assert.ok(largestDifference(out?.data ?? [], wanted.data) <= 1e-4);
  });
}

/** [B, C, H, W] -> [B, H, W, C] */
function toLast({ shape, data }: { shape: number[]; data: Float32Array }) {
  const [batch = 0, channels = 0, height = 0, width = 0] = shape;
  const moved = new Float32Array(data.length);
  let to = 0;
  for (let b = 0; b < batch; b++)
    for (let pixel = 0; pixel < height * width; pixel++)
      for (let c = 0; c < channels; c++) moved[to++] = data[(b * channels + c) * height * width + pixel] ?? 0;
  return { shape: [batch, height, width, channels], data: moved };
}

test('the demo draws both pictures', async () => {
  const { stdout } = await run('demo', '--out-dir', at('demo'), '--backend', 'wasm', '--prompt', 'cat');
  assert.match(stdout, /16 self-attentions patched/);
  const sheet = decodePng(readFileSync(at('demo/cat-0.png')), 'cat-0.png');
  // Both of 32 x 32, each pixel a square of 16; 8 of white around.
  assert.is(sheet.width, 8 + 2 * (512 + 8));
  const bottom = sheet.height - 8;
  const colourAt = (x: number, y: number) =>
    sheet.rgba.subarray((y * sheet.width + x) * 4, (y * sheet.width + x + 1) * 4);
  for (let step = 0; step < 16; step++) assert.equal(colourAt(8 + step, bottom - 1 - step), colourAt(8, bottom - 1));
});

test.run();
