import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { encodePng } from '../../src/pictures/node.ts';
import { writeSafetensors } from '../../src/tensors/node.ts';
import { slothfulHere as slothful } from '../support/cli.ts';
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

test('a ControlNet that is patched too follows the run: its plain half is plain', async () => {
  const net = ['--controlnet', at('control'), '--control-image', at('control.png')];
  const plain = await runModel(at('plain'), 'out-net', ...net);
  const strong = ['--in-strength', '50', '--out-strength', '50', '--compare'];
  const alone = await runModel(at('plain'), 'out-alone', ...net, ...strong);
  const both = await runModel(at('plain'), 'out-both', ...net, ...strong, '--control-slothful');
  assert.ok(largestDifference(both.latents, alone.latents) > 1e-4);
  const plainHalf = readSafetensors(join(at('out-both'), 'latents.safetensors')).get('plain_latents');
  assert.ok(plainHalf && largestDifference(plainHalf.data, plain.latents) < 1e-5);
});

test('a patched model with inputs for ControlNets is run as one without them', async () => {
  await run('patch', at('plain'), at('patched'));
  await run('patch', at('plain'), at('open'), '--controlnet-inputs');
  const { modelTopology } = JSON.parse(readFileSync(at('open/model.json'), 'utf8'));
  const inputs = modelTopology.node.filter(({ op }: { op: string }) => op === 'PlaceholderWithDefault');
  assert.equal(inputs.map(({ name }: { name: string }) => name.replace(/\d+$/, '')).sort(), [
    ...Array(12).fill('down_block_res_'),
    'mid_block_res',
    'slothful_control',
  ]);
  const net = ['--controlnet', at('control'), '--control-image', at('control.png')];
  const unsteered = await runModel(at('open'), 'out-open');
  assert.equal(unsteered.latents, (await runModel(at('patched'), 'out-patched')).latents);
  const steered = await runModel(at('open'), 'out-open-net', ...net);
  assert.equal(steered.latents, (await runModel(at('patched'), 'out-patched-net', ...net)).latents);
});

test('a sweep is steered as a run is', async () => {
  const net = ['--controlnet', at('control'), '--control-image', at('control.png'), '--control-scale', '0.5'];
  const size = ['--size', '64x64', '--steps', '2', '--guidance-scale', '1', '--backend', 'wasm'];
  const sweep = async (out: string, ...args: string[]) => {
    const axis = ['--x', 'in_strength=0,50', '--out-strength', '0'];
    const { stdout } = await run(
      ...[
        'sweep',
        at('plain'),
        '--cond',
        at('cond.safetensors'),
        ...axis,
        ...size,
        '--out',
        at(out),
        '--json',
        ...args,
      ],
    );
    return JSON.parse(stdout);
  };
  const [plain, steered] = [await sweep('sweep-plain'), await sweep('sweep-steered', ...net)];
  assert.equal(steered.source.companions.controlnets, [{ model: at('control'), image: at('control.png'), scale: 0.5 }]);
  const psnr = ({ cells }: { cells: { measures: { psnr: number | null } }[] }) => cells.map((c) => c.measures.psnr);
  // A strength of 0 changes nothing, steered or not; what 50 changes is not the same when the picture is steered.
  assert.equal([psnr(plain)[0], psnr(steered)[0]], [null, null]);
  assert.ok(psnr(plain)[1] !== psnr(steered)[1]);
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
