import { readFileSync } from 'node:fs';
import { parsePythonJson } from '../../../src/documents/index.ts';
import {
  type ClipTokenizer,
  PROMPT_WEIGHTS,
  promptChunks,
  readPictureText,
  readTokenizerFiles,
} from '../../../src/node.ts';
import { decodePicture, decodePng, readPngText, withPngText } from '../../../src/pictures/node.ts';
import { describeRefusal, describeWorkflow, readWorkflow } from '../../../src/workflows/index.ts';
import { pngChunks } from '../changes/png.ts';
import { type Files, filesOf } from '../plan.ts';
import type { Target } from '../target.ts';
import { bytesOf, fixture, jsonPart, textOf, textPart, tokenizerBase } from './parts.ts';

const PICTURE = 'comfyui/workflows/input picture.png';
const WORKFLOWS = ['01_ui_plain', '02_ui_lora_primitive', '03_api_img2img', '04_ui_advanced', '05_ui_subgraph'];

const OTHER_PICTURES = [
  'turned.jpg',
  'progressive.jpg',
  'cmyk.jpg',
  'alpha.webp',
  'moving.webp',
  'moving.gif',
  'plain.tiff',
];

const PROMPTS = [
  'a photo of a (sloth:1.2) on a tree, ((owl)), [cat], \\(plain\\)',
  'a BREAK b, ((((deep))):0.5), <|endoftext|> naïve 1999',
];

const INFOTEXTS = [
  'a sloth\nNegative prompt: blurry\nSteps: 20, Sampler: DPM++ 2M, Schedule type: Karras, CFG scale: 7, Seed: 1, ' +
    'Size: 512x768, Model hash: 6ce0161689, Model: v1-5, Denoising strength: 0.5, Clip skip: 2, Version: v1.9.4',
  'an owl\nSteps: 8, Sampler: Euler, CFG scale: 1.5, Seed: 18446744073709551615, RNG: slothful, Size: 64x64, ' +
    'Timestep spacing: leading, Slothful Attention: "in_strength: 5.5, keep_middle: true", ' +
    'Pass freeu: "b1: 1.2, s1: 0.9", Crop: 0x8, Original size: 64x64, Version: slothful-attention 0.2.0',
];

let vocabulary: ClipTokenizer | undefined;

async function tokenizerOf(files: Files): Promise<ClipTokenizer> {
  return readTokenizerFiles(async (name) => (files.has(name) ? textOf(files, name) : undefined), 'tokenizer');
}

/** Weighs a prompt in every convention. */
function weighed(tokenizer: ClipTokenizer, prompt: string): void {
  for (const weights of PROMPT_WEIGHTS) promptChunks(tokenizer, prompt, weights);
}

function understood(text: string): unknown {
  const reading = readWorkflow(parsePythonJson(text, 'workflow.json'), 'workflow.json');
  if ('run' in reading) return describeWorkflow(reading.run);
  describeRefusal(reading.refused, reading.error.message);
  throw reading.error;
}

/** A picture of ours, with what A1111 and ComfyUI write into theirs. */
function pictureWithTexts(): Uint8Array {
  const workflow = readFileSync(fixture('comfyui/workflows/03_api_img2img.json'), 'utf8');
  return withPngText(readFileSync(fixture(PICTURE)), { parameters: `${INFOTEXTS[0]} ü €`, prompt: workflow });
}

/** What pictures are made of and what is made of them: prompts, workflows, PNG files and the texts in them. */
export const PICTURE_TARGETS: readonly Target[] = [
  {
    name: 'workflow',
    describe: "ComfyUI's workflows, of its page and of its API",
    bases: () => WORKFLOWS.map((name) => ({ file: jsonPart(`comfyui/workflows/${name}.json`) })),
    read: (files) => understood(textOf(files, 'file')),
  },
  {
    name: 'png',
    describe: 'pixels and texts of a PNG',
    bases: () => [{ file: { kind: 'png', value: pngChunks(pictureWithTexts()) } }],
    read: (files) => {
      const texts = readPngText(bytesOf(files, 'file'), 'input.png');
      decodePng(bytesOf(files, 'file'), 'input.png');
      const [parameters, workflow] = [texts.get('parameters'), texts.get('prompt')];
      if (parameters !== undefined) readPictureText(parameters, 'input.png');
      if (workflow !== undefined) understood(workflow);
    },
  },
  {
    name: 'picture',
    describe: 'pixels of JPEG, WebP, GIF and TIFF, which sharp reads',
    bases: () =>
      OTHER_PICTURES.map((name) => ({ file: { kind: 'bytes', value: readFileSync(fixture(`pictures/${name}`)) } })),
    read: (files) => decodePicture(bytesOf(files, 'file'), 'input'),
  },
  {
    name: 'infotext',
    describe: 'what A1111 and this toolkit write under a picture',
    bases: () => INFOTEXTS.map((text) => ({ file: textPart(text) })),
    read: (files) => readPictureText(textOf(files, 'file'), 'input.png'),
  },
  {
    name: 'prompt',
    describe: 'prompts with weights, to tokens',
    bases: async () => {
      vocabulary = await tokenizerOf(filesOf(tokenizerBase()));
      return PROMPTS.map((text) => ({ file: textPart(text) }));
    },
    read: (files) => vocabulary && weighed(vocabulary, textOf(files, 'file')),
  },
  {
    name: 'tokenizer',
    describe: 'vocab.json, merges.txt and what is said of padding',
    bases: () => [tokenizerBase()],
    read: async (files) => weighed(await tokenizerOf(files), PROMPTS[0] ?? ''),
  },
];
