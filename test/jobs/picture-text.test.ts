import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { readPictureText } from '../../src/jobs/node.ts';
import { pictureText } from '../../src/jobs/picture-text.ts';
import { DEFAULT_PARAMETERS } from '../../src/passes/index.ts';
import type { ResolvedRun, RunSource } from '../../src/pipeline/index.ts';
import { defaultConfig } from '../../src/sampling/index.ts';
import { failsWith } from '../support/errors.ts';

const test = suite('what a picture says of its run');

const SOURCE: RunSource = {
  version: '1.2.3',
  model: '/models/sloth/unet/model.json',
  family: 'sd15',
  backend: { name: 'cpu', device: 'CPU' },
  prompt: 'a sloth, (smiling:1.2)\nin a tree',
  negative_prompt: 'blurry: very',
  cond: null,
  uncond: null,
  companions: { controlnets: [], controlnets_patched: false, image_embeds: null, ip_adapter_scale: null },
};

const RUN: ResolvedRun = {
  settings: {
    ...{ rows: 96, columns: 64, batch: 2, scale: 8, steps: 20, guidance_scale: 7.5, seed: 41 },
    scheduler: { ...defaultConfig('dpmpp_2m'), sigmas: 'karras', timestep_spacing: 'trailing' },
  },
  contextTokens: 77,
  parameters: { ...DEFAULT_PARAMETERS, in_strength: 9, keep_middle: false },
  passes: {},
  notes: [],
};

const OURS = `a sloth, (smiling:1.2)
in a tree
Negative prompt: blurry: very
Steps: 20, Sampler: DPM++ 2M, Schedule type: Karras, CFG scale: 7.5, Seed: 42, Size: 512x768, Model: sloth, Timestep spacing: trailing, Prediction type: epsilon, Slothful Attention: "`;

test('A1111 reads what is written, and more follows', () => {
  const text = pictureText({ source: SOURCE, run: RUN, image: 1, isPlain: false });
  assert.ok(text.startsWith(OURS), text);
  assert.match(text, /Slothful Attention: "time_decay: 1, .*in_strength: 9, .*", Version: slothful-attention 1\.2\.3$/);
});

test('what is written is read again, all of it', () => {
  const text = {
    ...{ weights: 'a1111' as const, clip_skip: 2, prompt_2: ['one', 'two'], negative_prompt_2: ['none'] },
    sizes: { original: { width: 512, height: 256 }, crop: { top: 8, left: 16 }, target: { width: 64, height: 32 } },
  };
  const source = { ...SOURCE, text, prompts: ['first', 'second'], negative_prompts: ['not', 'never'] };
  const { choices, notes } = readPictureText(pictureText({ source, run: RUN, image: 1, isPlain: false }), 'a.png');
  assert.equal(notes, []);
  assert.equal([choices.prompt, choices.negativePrompt], ['second', 'never']);
  assert.equal([choices.prompt2, choices.negativePrompt2], ['two', 'none']);
  assert.equal([choices.weights, choices.clipSkip, choices.sizes], ['a1111', 2, text.sizes]);
  assert.equal([choices.sampler, choices.sigmas, choices.spacing], ['dpmpp_2m', 'karras', 'trailing']);
  assert.equal([choices.steps, choices.guidance_scale, choices.seed], [20, 7.5, 42]);
  assert.equal(choices.size, { width: 512, height: 768 });
  assert.equal(choices.parameters, RUN.parameters);
});

test('the plain half is read as one without Slothful Attention', () => {
  const { choices } = readPictureText(pictureText({ source: SOURCE, run: RUN, image: 0, isPlain: true }), 'a.png');
  assert.equal(choices.parameters, { in_strength: 0, out_strength: 0 });
});

test('files that a picture does not hold are named', () => {
  const source = { ...SOURCE, start: { init_image: '/home/me/a.png', mask: 'b.png', noise: 'n.safetensors' } };
  const run = { ...RUN, settings: { ...RUN.settings, strength: 0.6 } };
  const { choices, notes } = readPictureText(pictureText({ source, run, image: 0, isPlain: false }), 'x.png');
  assert.is(choices.strength, 0.6);
  assert.equal(notes, [
    { text: 'x.png: it was made with a file, a.png: give it with --init-image', flag: 'initImage' },
    { text: 'x.png: it was made with a file, b.png: give it with --mask', flag: 'mask' },
    { text: 'x.png: it was made with a file, n.safetensors: give it with --noise', flag: 'noise' },
  ]);
});

const A1111 = `masterpiece, (cat:1.3)
Negative prompt: lowres
Steps: 28, Sampler: DPM++ 2M Karras, CFG scale: 6, Seed: 12345, Size: 512x768, Model hash: 6ce0161689, Model: v1-5, Clip skip: 2, Version: v1.6.0`;

test("A1111's own pictures are read with its weights", () => {
  const { choices, notes } = readPictureText(A1111, 'cat.png');
  assert.equal([choices.prompt, choices.negativePrompt], ['masterpiece, (cat:1.3)', 'lowres']);
  assert.equal(
    [choices.sampler, choices.sigmas, choices.weights, choices.clipSkip],
    ['dpmpp_2m', 'karras', 'a1111', 2],
  );
  assert.is(choices.rng, 'a1111', 'whose noise it is');
  assert.equal(
    notes.map((note) => note.text),
    ['cat.png: it was made by another program, whose samplers are not the same to the last step'],
  );
  const other = readPictureText(A1111.replace('DPM++ 2M Karras', 'DPM fast'), 'cat.png');
  assert.is(other.choices.sampler, undefined);
  assert.match(other.notes[0]?.text ?? '', /there is no sampler DPM fast: the model's own is taken/);
});

test('an enlarged picture of A1111 is read without the strength of that', () => {
  const text = `${A1111}, Denoising strength: 0.5, Hires upscale: 2`;
  const { choices, notes } = readPictureText(text, 'cat.png');
  assert.is(choices.strength, undefined);
  assert.match(notes[0]?.text ?? '', /it was enlarged and drawn once more/);
});

test('an empty negative prompt, another decoder and an address are kept or left out', () => {
  const source = { ...SOURCE, negative_prompt: '', model: 'https://h.org/sloth/unet/model.json?sig=secret' };
  const text = pictureText({ source, run: RUN, image: 0, isPlain: false, decoder: 'taesd' });
  assert.not.match(text, /secret/);
  assert.match(text, /Model: sloth, /);
  const { choices } = readPictureText(text, 'a.png');
  assert.equal([choices.negativePrompt, choices.decoder], ['', 'taesd']);
});

const REFUSED: ReadonlyArray<readonly [string, string, RegExp]> = [
  ['text alone', 'a cat', /does not say how it was made/],
  ['steps that are no number', A1111.replace('28', 'many'), /field "Steps" \("many"\) is no number/],
  ['a size that is none', A1111.replace('512x768', 'large'), /field "Size" \("large"\) is no size/],
];
for (const [name, text, message] of REFUSED) {
  test(`refuses ${name}`, () => failsWith('bad-input', message, () => readPictureText(text, 'a.png')));
}

test.run();
