import { cpSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PNG } from 'pngjs';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { convertPipeline } from '../../converters/index.ts';
import { encodePng, readPngText } from '../../src/pictures/node.ts';
import { readSafetensors, writeSafetensors } from '../../src/tensors/node.ts';
import { slothfulHere } from '../support/cli.ts';
import { fixturePath } from '../support/fixtures.ts';
import { pseudoRandom } from '../support/numbers.ts';
import { pipelineBeside, pipelineFolder } from '../support/pipeline-goldens.ts';
import { readPublished } from '../support/published.ts';
import { temporaryFolder } from '../support/temporary.ts';

const test = suite('slothful run, from a prompt to a picture');

const folder = temporaryFolder();
const at = (name: string) => join(folder, name);
const SMALL = ['--steps', '2', '--size', '64x48', '--backend', 'wasm'];
const SLOTH = ['--prompt', 'a photo of a sloth'];

test.before(async () => {
  await convertPipeline(pipelineFolder('sd15'), at('sd15'), { taesd: fixturePath('pipeline/taesd') });
  await convertPipeline(pipelineFolder('sdxl'), at('sdxl'));
  await convertPipeline(pipelineFolder('sd15'), at('unet'), { only: ['unet'] });
  await convertPipeline(pipelineBeside('sd15', 'inpaint9'), at('inpaint9'));
  await convertPipeline(pipelineBeside('sd15', 'pix2pix'), at('pix2pix'));
  writeFileSync(at('image.png'), encodePng(pictureOf(64, 48)));
  writeFileSync(at('mask.png'), encodePng(pictureOf(64, 48)));
  writeFileSync(at('large.png'), encodePng(pictureOf(72, 48)));
  writeFileSync(at('text.png'), 'not a picture');
  const noise = { shape: [1, 4, 6, 8], data: pseudoRandom(4 * 6 * 8) };
  await writeSafetensors(at('noise.safetensors'), new Map([['noise', noise]]));
  await writeSafetensors(at('other.safetensors'), new Map([['start', noise]]));
});

/** Left half black, right half white. */
function pictureOf(width: number, height: number) {
  const rgba = Uint8ClampedArray.from({ length: width * height * 4 }, (_, index) => {
    return index % 4 === 3 || Math.floor(index / 4) % width >= width / 2 ? 255 : 0;
  });
  return { width, height, rgba };
}

async function run(...args: string[]) {
  const result = await slothfulHere(['run', ...args]);
  assert.is(result.code, 0, result.stderr);
  return result;
}

const readPng = (name: string) => PNG.sync.read(readFileSync(at(name)));
const record = (name: string) => readPublished('run-1', at(`${name}/run.json`));

test('a prompt becomes a PNG that says how it was made, with its latents beside it', async () => {
  const { stdout } = await run(at('sd15'), ...SLOTH, ...SMALL, '--seed', '7', '--out', at('plain'));
  assert.match(stdout, /plain: latents\.safetensors, picture-7\.png, run\.json\nddim, 2 of 2 steps/);
  assert.equal(readdirSync(at('plain')).sort(), ['latents.safetensors', 'picture-7.png', 'run.json']);
  const { width, height } = readPng('plain/picture-7.png');
  assert.equal([width, height], [64, 48]);
  const text = readPngText(readFileSync(at('plain/picture-7.png')), 'picture').get('parameters');
  assert.match(
    text ?? '',
    /^a photo of a sloth\nSteps: 2, Sampler: DDIM, Schedule type: Automatic, CFG scale: 7\.5, Seed: 7, Size: 64x48, Model: sd15, /,
  );
  const latents = (await readSafetensors(at('plain/latents.safetensors'))).get('latents');
  assert.equal(latents?.shape, [1, 4, 6, 8]);
  const { prompt, decoder, phases } = record('plain');
  assert.equal([prompt, decoder], ['a photo of a sloth', { name: 'vae', tile: null }]);
  assert.equal(
    phases.map(({ name }: { name: string }) => name),
    ['load text', 'text', 'load unet', 'denoise', 'load decoder', 'decode'],
  );
});

test('a picture makes its run again, to the byte; flags go over what it says', async () => {
  const args = ['--negative-prompt', 'blurry, "low"', '--in-strength', '9', '--weights', 'a1111', '--clip-skip', '2'];
  const sampler = ['--sampler', 'euler', '--sigmas', 'karras', '--seed', '3', '--batch', '2'];
  await run(at('sd15'), '--prompt', 'a (sloth:1.2), 4k', ...SMALL, ...args, ...sampler, '--out', at('made'));
  await run(at('sd15'), '--from', at('made/picture-4.png'), '--backend', 'wasm', '--out', at('again'));
  assert.equal(readFileSync(at('again/picture-4.png')), readFileSync(at('made/picture-4.png')));
  const { parameters, settings, text, negative_prompt } = record('again');
  assert.equal([parameters.in_strength, settings.scheduler.sigmas, settings.seed], [9, 'karras', 4]);
  assert.equal([text.weights, text.clip_skip, negative_prompt], ['a1111', 2, 'blurry, "low"']);
  const changed = ['--steps', '1', '--latent', '8x8', '--sampler', 'ddim', '--backend', 'wasm'];
  await run(at('sd15'), '--from', at('made/picture-4.png'), ...changed, '--out', at('less'));
  const { steps, rows, columns, scheduler } = record('less').settings;
  assert.equal([steps, rows, columns, scheduler.type], [1, 8, 8, 'ddim']);
});

test('both halves of a comparison are decoded and measured', async () => {
  const strong = ['--compare', '--in-strength', '12', '--out', at('both')];
  const { stdout } = await run(at('sdxl'), ...SLOTH, ...SMALL, ...strong);
  assert.match(stdout, /seed 0 against the plain picture: PSNR [\d.]+ dB, SSIM/);
  const names = ['compare.png', 'latents.safetensors', 'picture-0.png', 'plain-0.png', 'run.json'];
  assert.equal(readdirSync(at('both')).sort(), names);
  const plan = await slothfulHere(['plan', at('sdxl'), ...SLOTH, ...SMALL, '--in-strength', '12', '--json']);
  const planned = JSON.parse(plan.stdout).steps.map(
    (step: { kv_tokens: { patched: number } }) => step.kv_tokens.patched,
  );
  const ran = record('both').steps.map((step: { kv_tokens: number }) => step.kv_tokens);
  assert.equal(ran, planned);
});

test('several prompts make several pictures, each as it is alone', async () => {
  const two = ['--prompt', 'quick brown fox', '--prompt', 'a photo of a sloth'];
  await run(at('sd15'), ...two, ...SMALL, '--seed', '6', '--out', at('two'));
  const [first, alone] = [readPng('two/picture-7.png'), readPng('plain/picture-7.png')];
  assert.ok(
    first.data.every((value, index) => Math.abs(value - (alone.data[index] ?? -9)) <= 1),
    'the same picture',
  );
  assert.equal(record('two').prompts, ['quick brown fox', 'a photo of a sloth']);
});

test('an image is where a run starts, and a mask keeps the rest of it', async () => {
  const image = ['--init-image', at('image.png')];
  const { stdout } = await run(
    at('sd15'),
    ...SLOTH,
    '--steps',
    '4',
    ...image,
    '--backend',
    'wasm',
    '--out',
    at('image'),
  );
  assert.match(stdout, /3 of 3 steps/);
  assert.equal([record('image').settings.strength, record('image').start.init_image], [0.8, at('image.png')]);
  const text = readPngText(readFileSync(at('image/picture-0.png')), 'picture').get('parameters');
  assert.match(text ?? '', /Denoising strength: 0\.8, .*Init image: image\.png/);
  const again = await slothfulHere(['run', at('sd15'), '--from', at('image/picture-0.png'), '--out', at('no')]);
  assert.match(again.stderr, /was made from an image, which it does not hold; give it with --init-image/);
  const masked = [...image, '--mask', at('mask.png'), '--strength', '0.5'];
  await run(at('sd15'), ...SLOTH, '--steps', '4', ...masked, '--backend', 'wasm', '--out', at('masked'));
  assert.is(record('masked').steps.length, 2);
});

test('noise of another program, a TAESD, tiles and previews', async () => {
  const noise = ['--noise', at('noise.safetensors'), '--decoder', 'taesd', '--preview', '1'];
  await run(at('sd15'), ...SLOTH, ...SMALL, ...noise, '--out', at('noise'));
  assert.equal([record('noise').decoder.name, record('noise').start.noise], ['taesd', at('noise.safetensors')]);
  assert.is(readPng('noise/preview-1.png').width, 64);
  await run(
    at('sd15'),
    ...SLOTH,
    '--steps',
    '1',
    '--backend',
    'wasm',
    '--tile',
    '64',
    '--size',
    '128x64',
    '--out',
    at('tiled'),
  );
  assert.is(record('tiled').decoder.tile, 64);
  const { stdout } = await run(at('sd15'), ...SLOTH, ...SMALL, '--decoder', 'none', '--out', at('none'));
  assert.match(stdout, /none: latents\.safetensors, run\.json/);
});

test('a sweep draws every cell, and goes through prompts', async () => {
  const axes = ['--x', 'in_strength=0,12', '--y', 'prompt=quick brown fox,a photo of a sloth'];
  const { code, stderr } = await slothfulHere(['sweep', at('sd15'), ...SMALL, ...axes, '--out', at('sweep')]);
  assert.is(code, 0, stderr);
  const { cells, source } = readPublished('sweep-1', at('sweep/sweep.json'));
  assert.equal([cells.length, source.prompt], [4, null]);
  assert.ok(readPng('sweep/sheet.png').width > 128);
});

test.before(() => {
  const broken = (name: string, change: (folder: string) => void) => {
    cpSync(at('sd15'), at(name), { recursive: true });
    change(at(name));
  };
  broken('no-vocabulary', (each) => rmSync(join(each, 'tokenizer/vocab.json')));
  broken('other-text', (each) => {
    rmSync(join(each, 'text_encoder'), { recursive: true });
    cpSync(join(at('sdxl'), 'text_encoder'), join(each, 'text_encoder'), { recursive: true });
  });
  broken('other-vae', (each) => {
    const path = join(each, 'vae_decoder/model.json');
    writeFileSync(path, readFileSync(path, 'utf8').replaceAll('"latent_channels":4', '"latent_channels":16'));
  });
  broken('no-vae', (each) => {
    const path = join(each, 'slothful.json');
    const manifest = JSON.parse(readFileSync(path, 'utf8'));
    delete manifest.parts.vae_encoder;
    delete manifest.parts.taesd_encoder;
    writeFileSync(path, JSON.stringify(manifest));
  });
});

const REFUSED: ReadonlyArray<readonly [string, readonly string[], RegExp]> = [
  ['no prompt', ['sd15'], /--prompt: is missing; say what to draw/],
  [
    'a UNet alone',
    ['unet', ...SLOTH],
    /unet: has no text encoder, so it cannot read a prompt; convert the whole pipeline/,
  ],
  [
    'a missing vocabulary',
    ['no-vocabulary', ...SLOTH],
    /tokenizer: has no vocabulary; give vocab\.json and merges\.txt/,
  ],
  ["another model's text encoder", ['other-text', ...SLOTH], /text_encoder.* knows \d+ tokens|text encoders of width/],
  ["another model's VAE", ['other-vae', ...SLOTH], /is the VAE of another model: its latents have 16 channels/],
  [
    'an encoder that is not there',
    ['no-vae', ...SLOTH, '--init-image', 'image.png', '--steps', '2'],
    /no-vae: has no VAE encoder/,
  ],
  [
    'a decoder that is not there',
    ['sdxl', ...SLOTH, '--decoder', 'taesd'],
    /sdxl: has no taesd decoder; convert .*--taesd/,
  ],
  [
    'an image that is no picture',
    ['sd15', ...SLOTH, '--init-image', 'text.png'],
    /text\.png: is a text that begins with "not a picture"; /,
  ],
  ['a picture that says nothing', ['sd15', '--from', 'image.png'], /image\.png: does not say how it was made/],
  [
    'a mask of another size',
    ['sd15', ...SLOTH, '--init-image', 'image.png', '--mask', 'large.png'],
    /large\.png: is 72x48, and .*image\.png is 64x48; give a mask of the same size/,
  ],
  ['a mask alone', ['sd15', ...SLOTH, '--mask', 'mask.png'], /--mask: needs the image that it is for/],
  ['a strength alone', ['sd15', ...SLOTH, '--strength', '0.5'], /--strength: is of the image to start from/],
  [
    'a strength of no step',
    ['sd15', ...SLOTH, '--init-image', 'image.png', '--strength', '0.1', '--steps', '4'],
    /strength: 0\.1 of 4 steps is less than one; with 4 steps, take 0\.25 or more/,
  ],
  [
    'noise without its name',
    ['sd15', ...SLOTH, '--noise', 'other.safetensors'],
    /has no tensor "noise" \(it has start\)/,
  ],
  ['noise of another size', ['sd15', ...SLOTH, '--noise', 'noise.safetensors'], /is \[1, 4, 6, 8\], and the run needs/],
  ['a clip skip of too many', ['sd15', ...SLOTH, '--clip-skip', '9'], /--clip-skip: leaves out 8 layers/],
  [
    'a flag that is given twice',
    ['sd15', ...SLOTH, '--seed', '1', '--seed', '2'],
    /--seed: is given 2 times; give it once/,
  ],
  ['a seed below 0', ['sd15', ...SLOTH, '--seed', '-1'], /--seed: must be a whole number, got "-1"/],
  [
    'a second text where there is one encoder',
    ['sd15', ...SLOTH, '--prompt-2', 'x'],
    /--prompt-2: is for a second text/,
  ],
  ['sizes where none are told', ['sd15', ...SLOTH, '--crop', '8x8'], /--crop: are for SDXL and its kin/],
  [
    'weights beside tensors',
    ['sd15', '--cond', 'other.safetensors', '--weights', 'none'],
    /--weights: cannot be combined/,
  ],
  [
    'a tile that is none',
    ['sd15', '--prompt', 'x', '--tile', '72'],
    /--tile: cannot be 72; give a multiple of 32 pixels from 64, or 0/,
  ],
];

for (const [name, [model = '', ...args], message] of REFUSED) {
  test(`refuses ${name} in one line, and writes nothing`, async () => {
    const paths = args.map((arg) => (/\.(png|safetensors)$/.test(arg) ? at(arg) : arg));
    const steps = args.includes('--steps') ? [] : ['--steps', '1'];
    const size = args.includes('--init-image') || args.includes('--from') ? [] : ['--size', '64x64'];
    const all = ['run', at(model), ...paths, ...steps, ...size, '--backend', 'wasm', '--out', at('refused')];
    const { code, stderr } = await slothfulHere(all);
    assert.is(code, 1, stderr);
    assert.match(stderr, message);
    const lines = stderr.split('\n').filter((line) => line && !/^(note|backend):/.test(line));
    assert.is(lines.length, 1, stderr);
    assert.not(existsSync(at('refused')));
  });
}

const NEEDS: ReadonlyArray<readonly [model: string, flags: readonly string[], says: RegExp]> = [
  [
    'inpaint9',
    [],
    /is an inpainting model: its UNet takes 9 channels, the latent and a mask and the masked image; give --init-image picture\.png --mask mask\.png, or "mask" and "masked_image_latents" in the file of --cond/,
  ],
  ['inpaint9', ['--init-image', 'image.png'], /is an inpainting model/],
  ['pix2pix', [], /changes an image by an instruction, as InstructPix2Pix does: its UNet takes 8 channels/],
  [
    'pix2pix',
    ['--init-image', 'image.png', '--mask', 'mask.png'],
    /--mask: is not for a model that changes a whole image/,
  ],
  [
    'pix2pix',
    ['--init-image', 'image.png', '--strength', '0.5'],
    /--strength: is not for a model that changes an image/,
  ],
  ['sd15', ['--image-guidance-scale', '2'], /--image-guidance-scale: is for a model that changes an image/],
];
for (const [model, flags, says] of NEEDS) {
  test(`${model} with ${flags.filter((flag) => flag.startsWith('--')).join(' ') || 'a prompt alone'} is refused before anything loads`, async () => {
    const files = flags.map((flag) => (flag.endsWith('.png') ? at(flag) : flag));
    const refused = await slothfulHere(['run', at(model), ...SLOTH, ...SMALL, ...files, '--out', at('never')]);
    assert.is(refused.code, 1);
    assert.match(refused.stderr, says);
    assert.not(existsSync(at('never')));
  });
}

test('what an inpainting model takes beside its latent comes in a file too, and its run is made again', async () => {
  const latents = (channels: number, count = 1) => {
    return {
      shape: [count, channels, 6, 8],
      data: pseudoRandom(count * channels * 48).map((value) => Math.abs(value) % 1),
    };
  };
  const text = { shape: [1, 7, 24], data: pseudoRandom(7 * 24) };
  const file = new Map([
    ['prompt_embeds', text],
    ['negative_prompt_embeds', text],
    ['mask', latents(1, 2)],
    ['masked_image_latents', latents(4, 2)],
    ['attention_mask', text],
  ]);
  await writeSafetensors(at('told.safetensors'), file);
  const args = ['--cond', at('told.safetensors'), '--in-strength', '12', '--compare', '--out', at('told')];
  const { stderr } = await run(at('inpaint9'), ...SMALL, ...args);
  assert.match(stderr, /note: .*told\.safetensors: nothing asks for attention_mask\n/);
  assert.is(record('told').steps.length, 2);
  const small = new Map([...file, ['masked_image_latents', { shape: [1, 4, 3, 8], data: pseudoRandom(96) }] as const]);
  await writeSafetensors(at('small.safetensors'), small);
  const refused = await slothfulHere([
    'run',
    at('inpaint9'),
    ...SMALL,
    '--cond',
    at('small.safetensors'),
    '--out',
    at('never'),
  ]);
  assert.match(refused.stderr, /"masked_image_latents": is \[1, 4, 3, 8\], and the run needs \[1, 4, 6, 8\]/);
});

test('InstructPix2Pix counts its image, in plans, records and pictures', async () => {
  const image = ['--init-image', at('image.png'), '--image-guidance-scale', '2'];
  await run(at('pix2pix'), ...SLOTH, ...SMALL, ...image, '--out', at('changed'));
  const { settings } = record('changed');
  assert.equal([settings.image_guidance_scale, settings.strength], [2, undefined]);
  const again = ['--from', at('changed/picture-0.png'), '--init-image', at('image.png'), '--backend', 'wasm'];
  await run(at('pix2pix'), ...again, '--out', at('changed-again'));
  assert.equal(readFileSync(at('changed-again/picture-0.png')), readFileSync(at('changed/picture-0.png')));
  const plan = await slothfulHere(['plan', at('pix2pix'), ...SLOTH, ...SMALL, ...image, '--json']);
  assert.is(JSON.parse(plan.stdout).size.batch, 3);
});

test.run();
