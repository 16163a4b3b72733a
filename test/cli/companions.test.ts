import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { writeSafetensors } from '../../converters/safetensors/write.ts';
import { encodePng } from '../../src/pictures/index.ts';
import { slothful } from '../support/cli.ts';
import { companion } from '../support/companion-goldens.ts';
import { largestDifference } from '../support/numbers.ts';
import { readSafetensors } from '../support/safetensors.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { unetGoldens } from '../support/unet-goldens.ts';

const test = suite('companions on the command line');

const folder = temporaryFolder();
const at = (name: string) => join(folder, name);
const { diffusers, tensor } = unetGoldens('sd15');

async function run(...args: string[]) {
  const result = await slothful(args);
  assert.is(result.code, 0, result.stderr);
  return result;
}

/** Two steps at 64 x 64 pixels; the latents and run.json. */
async function runModel(model: string, out: string, ...args: string[]) {
  const size = ['--size', '64x64', '--steps', '2', '--guidance-scale', '1', '--backend', 'wasm'];
  await run('run', model, '--cond', at('cond.safetensors'), ...size, '--out', at(out), ...args);
  const latents = readSafetensors(join(at(out), 'latents.safetensors')).get('latents');
  assert.ok(latents);
  return { latents: latents.data, record: JSON.parse(readFileSync(join(at(out), 'run.json'), 'utf8')) };
}

test.before(async () => {
  const { shape, data } = tensor('32x32.encoder_hidden_states');
  const one = { shape: [1, ...shape.slice(1)], data: data.slice(0, data.length / 2) };
  await writeSafetensors(at('cond.safetensors'), new Map([['encoder_hidden_states', one]]));
  const rgba = Uint8ClampedArray.from({ length: 48 * 64 * 4 }, (_, index) =>
    index % 4 === 3 ? 255 : (index * 7) % 256,
  );
  writeFileSync(at('control.png'), encodePng({ width: 48, height: 64, rgba }));
  await run('convert', diffusers, at('plain'));
  await run('convert', companion('controlnet_sd15'), at('control'));
});

test('a ControlNet steers a run; two at half scale do as one', async () => {
  const plain = await runModel(at('plain'), 'out-plain');
  const net = ['--controlnet', at('control'), '--control-image', at('control.png')];
  const steered = await runModel(at('plain'), 'out-steered', ...net);
  const twice = await runModel(
    at('plain'),
    'out-twice',
    ...net,
    '--control-scale',
    '0.5',
    ...net,
    '--control-scale',
    '0.5',
  );
  assert.ok(largestDifference(steered.latents, plain.latents) > 1e-3);
  assert.ok(largestDifference(twice.latents, steered.latents) < 1e-4);
  assert.equal(
    twice.record.companions.controlnets.map(({ scale }: { scale: number }) => scale),
    [0.5, 0.5],
  );
  assert.equal(plain.record.companions.controlnets, []);
});

test('a ControlNet without its image is an error that says so', async () => {
  const args = [
    '--cond',
    at('cond.safetensors'),
    '--controlnet',
    at('control'),
    '--backend',
    'wasm',
    '--out',
    at('none'),
  ];
  const { code, stderr } = await slothful(['run', at('plain'), ...args]);
  assert.is(code, 1);
  assert.match(stderr, /--control-image: is given 0 times for 1 ControlNets/);
});

test('a LoRA is fused at conversion, and recorded', async () => {
  const lora = companion('lora_sd15_kohya.safetensors');
  const { stderr } = await run('convert', diffusers, at('fused'), '--lora', `${lora}:0.8`);
  assert.match(stderr, /note: fused lora_sd15_kohya\.safetensors into 278 weights at scale 0\.8/);
  const { userDefinedMetadata } = JSON.parse(readFileSync(at('fused/model.json'), 'utf8'));
  assert.is(userDefinedMetadata.lora[0].scale, 0.8);
});

test("an IP-Adapter's image changes the picture by its scale", async () => {
  await run('convert', diffusers, at('image'), '--ip-adapter', companion('ip_adapter_sd15.safetensors'));
  const data = Float32Array.from({ length: 20 }, (_, index) => Math.sin(index));
  await writeSafetensors(at('image.safetensors'), new Map([['image_embeds', { shape: [1, 20], data }]]));
  const embeds = ['--image-embeds', at('image.safetensors')];
  const whole = await runModel(at('image'), 'out-image', ...embeds);
  const none = await runModel(at('image'), 'out-none', ...embeds, '--ip-adapter-scale', '0');
  const plain = await runModel(at('plain'), 'out-again');
  assert.ok(largestDifference(whole.latents, none.latents) > 1e-4);
  assert.ok(largestDifference(none.latents, plain.latents) < 1e-4);
});

test.run();
