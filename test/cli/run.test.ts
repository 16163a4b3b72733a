import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { cp } from 'node:fs/promises';
import { join } from 'node:path';
import { PNG } from 'pngjs';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { convertCheckpoint } from '../../converters/index.ts';
import { writeSafetensors } from '../../src/tensors/node.ts';
import { slothful, slothfulHere } from '../support/cli.ts';
import { fixture, fixturePath, readJson } from '../support/fixtures.ts';
import { interrupted } from '../support/interrupt.ts';
import { readPublished } from '../support/published.ts';
import { readSafetensors } from '../support/safetensors.ts';
import { temporaryFolder } from '../support/temporary.ts';

const test = suite('slothful run');

const folder = temporaryFolder();
const at = (name: string) => join(folder, name);
const golden = readSafetensors(fixture('sampling/runs.safetensors'));

function tensor(name: string) {
  const found = golden.get(name);
  if (!found) throw new Error(`no tensor ${name}`);
  return found;
}

test.before(async () => {
  await convertCheckpoint(fixturePath('demo'), at('demo'), { dataSpace: 'premultiplied-rgba' });
  await convertCheckpoint(fixturePath('unet/sd15/diffusers'), at('sd15'));
  await convertCheckpoint(fixturePath('unet/sdxl/diffusers'), at('sdxl'));
  await writeSafetensors(at('cond.safetensors'), new Map([['text', tensor('cond')]]));
  await writeSafetensors(at('uncond.safetensors'), new Map([['encoder_hidden_states', tensor('uncond')]]));
  const { shape, data } = tensor('cond');
  const width = shape.at(-1) ?? 0;
  await writeSafetensors(
    at('narrow.safetensors'),
    new Map([['text', { shape: [1, 2, 3], data: new Float32Array(6) }]]),
  );
  const broken = data.map((value, index) => (index === 5 ? Number.NaN : value));
  await writeSafetensors(at('nan.safetensors'), new Map([['text', { shape, data: broken }]]));
  const two = { shape: [1, 4, width], data: new Float32Array(4 * width) };
  await writeSafetensors(
    at('two.safetensors'),
    new Map([
      ['a', two],
      ['b', two],
    ]),
  );
  mkdirSync(at('foreign'));
  writeFileSync(at('foreign/letter.txt'), 'dear');
  await brokenModel();
  await fixedModel();
});

/** The demo with weights that are not numbers. */
async function brokenModel(): Promise<void> {
  await cp(at('demo'), at('broken'), { recursive: true });
  const path = at('broken/weights-00001.bin');
  const bytes = readFileSync(path);
  bytes.fill(0xff, bytes.length - 40_000);
  writeFileSync(path, bytes);
}

/** The demo as an exporter writes it that fixes the size. */
async function fixedModel(): Promise<void> {
  await cp(at('demo'), at('fixed'), { recursive: true });
  const model = JSON.parse(readFileSync(at('fixed/model.json'), 'utf8'));
  const sample = model.modelTopology.node.find(({ name }: { name: string }) => name === 'sample');
  const sizes = ['-1', '32', '32', '4'];
  sample.attr.shape = { shape: { dim: sizes.map((size) => ({ size })) } };
  writeFileSync(at('fixed/model.json'), JSON.stringify(model));
}

async function run(...args: string[]) {
  const result = await slothfulHere(['run', ...args, '--backend', 'wasm']);
  assert.is(result.code, 0, result.stderr);
  return result;
}

function record(name: string) {
  return readPublished('run-1', at(`${name}/run.json`));
}

function readPng(path: string) {
  return PNG.sync.read(readFileSync(path));
}

test('a prompt becomes a picture', async () => {
  const { stdout, stderr } = await run(
    at('demo'),
    '--prompt',
    'sloth',
    '--steps',
    '2',
    '--seed',
    '7',
    '--out',
    at('plain'),
  );
  assert.match(stdout, /plain: picture-7\.png, run\.json\nddim, 2 of 2 steps in /);
  assert.match(stderr, /^backend: wasm/);
  assert.not.match(stderr, /\r|\[#/);
  assert.equal(readdirSync(at('plain')).sort(), ['picture-7.png', 'run.json']);
  const picture = readPng(at('plain/picture-7.png'));
  assert.equal([picture.width, picture.height], [32, 32]);
  const { schema, prompt, settings, parameters, stopped, steps, backend } = record('plain');
  assert.equal([schema, prompt, parameters, stopped, backend.name], ['slothful-run/1', 'sloth', null, false, 'wasm']);
  assert.equal([settings.seed, settings.guidance_scale, settings.scheduler.type], [7, 2, 'ddim']);
  assert.equal(
    steps.map(({ timestep, kv_tokens }: { timestep: number; kv_tokens: unknown }) => [timestep, kv_tokens]),
    [
      [501, null],
      [1, null],
    ],
  );
});

test('plain beside patched, with the same noise, for a batch', async () => {
  const args = ['--prompt', 'sloth', '--steps', '2', '--seed', '6', '--batch', '2', '--compare', '--preview', '1'];
  const { stdout } = await run(at('demo'), ...args, '--in-strength', '12', '--out', at('both'));
  assert.match(stdout, /K\/V tokens in the first step; self-attention .* \(\d+ %\)/);
  assert.match(stdout, /seed 7 against the plain picture: PSNR [\d.]+ dB, SSIM /);
  const names = ['plain-6.png', 'plain-7.png', 'picture-6.png', 'picture-7.png', 'compare.png'];
  const previews = ['preview-1.png', 'preview-2.png', 'plain-preview-1.png', 'plain-preview-2.png'];
  assert.equal(readdirSync(at('both')).sort(), [...names, ...previews, 'run.json'].sort());
  const alone = readPng(at('plain/picture-7.png'));
  const [plain, patched] = ['plain', 'picture'].map((name) => readPng(at(`both/${name}-7.png`)));
  assert.ok(
    alone.data.every((value, index) => Math.abs(value - (plain?.data[index] ?? -9)) <= 1),
    'the same noise',
  );
  assert.ok(
    alone.data.some((value, index) => Math.abs(value - (patched?.data[index] ?? -9)) > 1),
    'an effect',
  );
  const { measures, parameters, plain: beside, steps, attention_flops } = record('both');
  assert.is(measures.length, 2);
  assert.equal([parameters.in_strength, parameters.out_strength], [12, 4]);
  assert.equal([beside.steps.length, steps[0].sites.length, steps[0].tokens], [2, 16, 6736]);
  assert.ok(attention_flops.patched < attention_flops.plain);
});

test('a patched model has its own parameters, and flags change single ones', async () => {
  const patched = await slothfulHere(['patch', at('demo'), at('patched'), '--in-strength', '9', '--time-decay', '2']);
  assert.is(patched.code, 0, patched.stderr);
  const args = ['--prompt', 'cat', '--steps', '1', '--json'];
  const { stdout } = await run(at('patched'), ...args, '--out', at('own'));
  const { parameters, folder: out } = JSON.parse(stdout);
  assert.equal([parameters.in_strength, parameters.time_decay, out], [9, 2, at('own')]);
  const changed = await run(at('patched'), ...args, '--in-strength', '3', '--out', at('own'), '--force');
  const { parameters: after } = JSON.parse(changed.stdout);
  assert.equal([after.in_strength, after.time_decay], [3, 2]);
});

interface GoldenRun {
  readonly out: string;
  readonly timesteps: number[];
  readonly kv_tokens: Record<string, number>[];
}

test("the steps and K/V tokens are the goldens', and latents are written where there is no picture", async () => {
  const files = ['--cond', at('cond.safetensors'), '--uncond', at('uncond.safetensors'), '--guidance-scale', '5'];
  const size = ['--size', '256x256', '--steps', '16', '--preview', '8'];
  await run(at('sd15'), ...files, ...size, '--preset', 'full', '--out', at('latents'));
  const wanted = readJson<GoldenRun[]>('sampling/runs.json').find(({ out }) => out === 'ddim.defaults');
  const { steps } = record('latents');
  const tokens = (sites: { kv_tokens: number }[]) => sites.map(({ kv_tokens }) => kv_tokens).sort((a, b) => a - b);
  assert.equal(
    steps.map(({ timestep }: { timestep: number }) => timestep),
    wanted?.timesteps,
  );
  assert.equal(
    steps.map(({ sites }: { sites: { kv_tokens: number }[] }) => tokens(sites)),
    wanted?.kv_tokens.map((step) => Object.values(step).sort((a, b) => a - b)),
  );
  const { latents } = Object.fromEntries(readSafetensors(at('latents/latents.safetensors')));
  assert.equal(latents?.shape, [1, 4, 32, 32]);
  assert.ok(latents?.data.every(Number.isFinite));
  assert.equal(readdirSync(at('latents')).sort(), [
    'latents.safetensors',
    'preview-08.png',
    'preview-16.png',
    'run.json',
  ]);
});

test('SDXL kin: the other inputs come by name, time_ids by themselves, and any latent size will do', async () => {
  const inputs = readSafetensors(fixture('unet/sdxl/goldens.safetensors'));
  const named = new Map(
    ['encoder_hidden_states', 'text_embeds'].map((name) => {
      const found = [...inputs].find(([key]) => key.endsWith(`.${name}`))?.[1];
      const [first = 1, ...rest] = found?.shape ?? [];
      return [
        name,
        { shape: [1, ...rest], data: (found?.data ?? new Float32Array()).slice(0, (found?.data.length ?? 0) / first) },
      ] as const;
    }),
  );
  await writeSafetensors(at('sdxl.safetensors'), named);
  const args = ['--cond', at('sdxl.safetensors'), '--steps', '1', '--size', '40x56', '--sampler', 'euler_ancestral'];
  const { stderr } = await run(at('sdxl'), ...args, '--sigmas', 'karras', '--out', at('xl'));
  assert.match(stderr, /note: without guidance.*--uncond/);
  const { latents } = Object.fromEntries(readSafetensors(at('xl/latents.safetensors')));
  assert.equal(latents?.shape, [1, 4, 7, 5]);
  assert.equal([record('xl').settings.guidance_scale, record('xl').settings.scheduler.sigmas], [1, 'karras']);
});

test('without a name, runs are numbered', async () => {
  const args = ['run', at('demo'), '--prompt', 'cat', '--steps', '1', '--backend', 'wasm'];
  for (const number of [1, 2]) {
    const { code, stdout } = await slothful(args, { cwd: folder });
    assert.is(code, 0);
    assert.match(stdout, new RegExp(`^out/run-${number}: picture-0\\.png, run\\.json`));
  }
});

test('an earlier run is replaced as a whole, and only where nothing else is with it', async () => {
  const args = ['run', at('demo'), '--prompt', 'cat', '--steps', '1', '--out', at('both'), '--force'];
  writeFileSync(at('both/mine.txt'), 'keep');
  const before = readdirSync(at('both')).sort();
  const refused = await slothful([...args, '--backend', 'wasm']);
  assert.is(refused.code, 1);
  assert.match(refused.stderr, /both: holds what its run\.json does not list \(mine\.txt\)/);
  assert.equal(readdirSync(at('both')).sort(), before);
  rmSync(at('both/mine.txt'));
  await run(...args.slice(1));
  assert.equal(readdirSync(at('both')).sort(), ['picture-0.png', 'run.json']);
});

test('Ctrl-C keeps what is done, and says so by its exit code', async () => {
  const args = ['run', at('demo'), '--prompt', 'sloth', '--steps', '200', '--preview', '1', '--out', at('stopped')];
  const due = () => existsSync(at('stopped/preview-002.png'));
  const { code, stderr, stdout } = await interrupted([...args, '--backend', 'wasm'], due);
  assert.is(code, 130, stderr);
  assert.match(stderr, /stopping after this step/);
  assert.match(
    stderr.trim().split('\n').at(-1) ?? '',
    /stopped: stopped after \d+ of 200 steps; what was done is there$/,
  );
  assert.match(stdout, /picture-0\.png/);
  const { stopped, steps, files } = record('stopped');
  assert.is(stopped, true);
  assert.ok(steps.length >= 2 && steps.length < 200);
  for (const name of files) assert.ok(existsSync(at(`stopped/${name}`)), name);
  assert.equal(readdirSync(at('stopped')).sort(), [...files, 'run.json'].sort());
  assert.is(readPng(at('stopped/picture-0.png')).width, 32);
  const { latents } = Object.fromEntries(readSafetensors(at('stopped/latents.safetensors')));
  assert.equal(latents?.shape, [1, 4, 32, 32]);
});

const demo = (...args: string[]) => ['run', at('demo'), '--out', at('none'), ...args];
const sd15 = (...args: string[]) => ['run', at('sd15'), '--out', at('none'), ...args];
const cond = () => ['--cond', at('cond.safetensors')];

const REFUSED: readonly (readonly [title: string, args: () => string[], stderr: RegExp])[] = [
  ['no prompt', () => demo(), /^slothful: --prompt: is missing; say what to draw, such as --prompt "sloth"$/],
  [
    'an unknown word',
    () => demo('--prompt', 'slot'),
    /prompt "slot": .* the word "slot"; did you mean "sloth"\? known words: apple/,
  ],
  ['too many words', () => demo('--prompt', 'cat cat cat cat cat'), /has 5 words, at most 4/],
  [
    'a prompt without a text table',
    () => sd15('--prompt', 'cat'),
    /has no text encoder, so it cannot read a prompt.*--cond/,
  ],
  ['prompt and tensors', () => demo('--prompt', 'cat', ...cond()), /--prompt: cannot be combined with --cond/],
  ['uncond alone', () => demo('--uncond', at('cond.safetensors')), /--uncond: needs --cond/],
  [
    'a size that cannot be read',
    () => demo('--prompt', 'cat', '--size', '512'),
    /--size: cannot read "512"; write WxH/,
  ],
  [
    'a size that latents cannot have',
    () => sd15(...cond(), '--size', '260x256'),
    /260x256 is not a multiple of 8 pixels; 264x256 is near it/,
  ],
  [
    'a size that the model cannot have',
    () => ['run', at('fixed'), '--prompt', 'cat', '--size', '40x32'],
    /the model takes 32 x 32 only, not 32 x 40/,
  ],
  [
    'text of another width',
    () => sd15('--cond', at('narrow.safetensors')),
    /"encoder_hidden_states": is \[1, 2, 3\], and the model takes \[\?, \?, \d+\]/,
  ],
  [
    'text that is not a number',
    () => sd15('--cond', at('nan.safetensors')),
    /cond\.encoder_hidden_states: value 5 is NaN/,
  ],
  ['tensors without names', () => sd15('--cond', at('two.safetensors')), /has 2 tensors \(a, b\)/],
  [
    'an input that is not there',
    () => ['run', at('sdxl'), '--out', at('none'), ...cond()],
    /"text_embeds": is missing/,
  ],
  [
    'guidance away from nothing',
    () => sd15(...cond(), '--guidance-scale', '3'),
    /--guidance-scale: 3 needs the unconditional text; give --uncond/,
  ],
  [
    'a model that answers NaN',
    () => ['run', at('broken'), '--prompt', 'cat', '--out', at('none')],
    /step 0 \(timestep \d+\): the model answered NaN at value 0/,
  ],
  [
    'a sampler with sigmas it does not have',
    () => demo('--prompt', 'cat', '--sigmas', 'karras'),
    /sigmas "karras" is not for ddim/,
  ],
  [
    'too many steps',
    () => demo('--prompt', 'cat', '--steps', '1001'),
    /steps: must be an integer from 1 to 1000, got 1001/,
  ],
  ['an invalid seed', () => demo('--prompt', 'cat', '--seed', '1.5'), /seed.*1\.5/],
  ['no images', () => demo('--prompt', 'cat', '--batch', '0'), /batch.*0/],
  [
    'previews every no steps',
    () => demo('--prompt', 'cat', '--preview', '0'),
    /--preview: must be an integer from 1, got 0/,
  ],
  [
    'a parameter out of range',
    () => demo('--prompt', 'cat', '--in-strength', '51'),
    /in_strength must be a number from 0 to 50, got 51/,
  ],
  [
    'a folder that is there',
    () => ['run', at('demo'), '--prompt', 'cat', '--out', at('own')],
    /own: is there already; .*--force/,
  ],
  [
    'a folder of something else',
    () => ['run', at('demo'), '--prompt', 'cat', '--out', at('foreign'), '--force'],
    /foreign: is a folder with other files \(letter\.txt\) and no run\.json/,
  ],
];

for (const [title, args, stderr] of REFUSED) {
  test(`${title}: one line, exit code 1, nothing written`, async () => {
    const result = await slothfulHere([...args(), '--backend', 'wasm']);
    assert.is(result.code, 1, result.stderr);
    assert.is(result.stdout, '');
    const lines = result.stderr
      .trim()
      .split('\n')
      .filter((line) => !/^(backend|note):/.test(line));
    assert.is(lines.length, 1, result.stderr);
    assert.match(lines[0] ?? '', stderr);
    assert.not.ok(existsSync(at('none')));
  });
}

test.run();
