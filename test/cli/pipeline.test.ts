import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { writeSafetensors } from '../../src/tensors/node.ts';
import { slothfulHere as slothful } from '../support/cli.ts';
import { companion } from '../support/companion-goldens.ts';
import { fixturePath } from '../support/fixtures.ts';
import { pseudoRandom } from '../support/numbers.ts';
import { pipelineFile, pipelineFolder } from '../support/pipeline-goldens.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { unetGoldens } from '../support/unet-goldens.ts';

const test = suite('slothful, on whole pipelines');

async function succeeds(args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await slothful(args);
  assert.is(code, 0, stderr);
  return stdout;
}

test('convert says what it made of a folder, and every command takes the result as its UNet', async () => {
  const folder = temporaryFolder();
  const [model, patched] = [join(folder, 'model'), join(folder, 'patched')];
  const printed = await succeeds(['convert', pipelineFolder('sd15'), model, '--taesd', fixturePath('pipeline/taesd')]);
  assert.match(printed, /model: sd15 pipeline, 1\.\d M parameters/);
  for (const part of ['unet', 'text_encoder', 'vae_decoder', 'vae_encoder', 'taesd_decoder', 'tokenizer']) {
    assert.match(printed, new RegExp(`^ {2}${part}`, 'm'));
  }
  const inspected = JSON.parse(await succeeds(['inspect', model, '--json']));
  assert.is(inspected.schema, 'slothful-inspect/3');
  assert.match(JSON.stringify(inspected), /"input\.0\.0\.0"/);
  await succeeds(['plan', model, '--steps', '2', '--in-strength', '8']);
  assert.match(await succeeds(['patch', model, patched, '--in-strength', '8']), /16 self-attentions patched/);
  assert.ok(existsSync(join(patched, 'text_encoder', 'model.json')));
  assert.match(await succeeds(['diff', model, patched]), /16/);
  const cond = join(folder, 'cond.safetensors');
  const states = { shape: [1, 77, 24], data: pseudoRandom(77 * 24) };
  await writeSafetensors(cond, new Map([['encoder_hidden_states', states]]));
  const run = ['--cond', cond, '--uncond', cond, '--steps', '1', '--size', '64x64', '--backend', 'wasm'];
  await succeeds(['run', patched, ...run, '--out', join(folder, 'picture')]);
  assert.ok(existsSync(join(folder, 'picture', 'latents.safetensors')));
});

test('a single file takes what its tensors do not tell from the folder of --config', async () => {
  const model = join(temporaryFolder(), 'model');
  const args = ['convert', pipelineFile('sdxl'), model, '--config', pipelineFolder('sdxl'), '--json'];
  const summary = JSON.parse(await succeeds(args));
  assert.is(summary.kind, 'pipeline');
  assert.equal(Object.keys(summary.parts), ['unet', 'text_encoder', 'text_encoder_2', 'vae_decoder', 'vae_encoder']);
  assert.equal(summary.tokenizers, ['tokenizer', 'tokenizer_2']);
});

test('--only unet writes the UNet by itself, and parts need no UNet', async () => {
  const folder = temporaryFolder();
  await succeeds(['convert', pipelineFolder('sd15'), join(folder, 'unet'), '--only', 'unet']);
  assert.equal(readdirSync(join(folder, 'unet')).sort(), ['model.json', 'weights-00001.bin']);
  await succeeds(['convert', join(pipelineFolder('sd15'), 'vae'), join(folder, 'vae'), '--only', 'vae']);
  assert.equal(readdirSync(join(folder, 'vae')).sort(), ['slothful.json', 'vae_decoder', 'vae_encoder']);
});

const WRONG: ReadonlyArray<[args: () => string[], message: RegExp]> = [
  [() => [companion('controlnet_sd15'), '--vae', 'x'], /--vae: is for UNets, and .* is a ControlNet/],
  [() => [companion('controlnet_sd15'), '--only', 'unet'], /--only: is for UNets/],
  [() => [unetGoldens('sd15').diffusers, '--only', 'everything'], /Invalid values|only/],
  [() => [unetGoldens('sd15').diffusers, '--taesd', 'nowhere'], /nowhere: does not exist; check the path of the TAESD/],
  [() => [unetGoldens('sd15').diffusers, '--vae', 'nowhere'], /nowhere: does not exist/],
];

for (const [args, message] of WRONG) {
  test(`${message} is one line on stderr, and nothing is written`, async () => {
    const folder = temporaryFolder();
    const [source = '', ...flags] = args();
    const { code, stdout, stderr } = await slothful(['convert', source, join(folder, 'model'), ...flags]);
    assert.is(code, 1);
    assert.is(stdout, '');
    assert.match(stderr, message);
    assert.is(stderr.trim().split('\n').length, 1, stderr);
    assert.equal(readdirSync(folder), []);
  });
}

test.run();
