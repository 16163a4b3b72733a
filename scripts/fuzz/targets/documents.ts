import { readFileSync } from 'node:fs';
import { parseUNetConfig } from '../../../converters/index.ts';
import { parseJson, parsePythonJson } from '../../../src/documents/index.ts';
import { parsePipelineManifest } from '../../../src/models/index.ts';
import {
  makeScheduler,
  parseAxis,
  parseParameters,
  parsePassOption,
  parseSchedulerConfig,
  parseTextTable,
} from '../../../src/node.ts';
import { decodeSafetensors } from '../../../src/tensors/index.ts';
import type { Target } from '../target.ts';
import { bytesOf, fixture, jsonPart, tensorsPart, textOf, textPart } from './parts.ts';

const json = (text: string) => parseJson(text, { place: 'input.json', code: 'bad-input' });

const MANIFEST = {
  schema: 'slothful-pipeline/1',
  family: 'sd15',
  parts: { unet: 'unet', text_encoder: 'text_encoder', tokenizer: 'tokenizer', vae_decoder: 'vae_decoder' },
  force_zeros_for_empty_prompt: true,
};

const PARAMETERS = { time_decay: 1.2, keep_middle: true, in_mode: '2D_AVG', in_strength: 5.5, out_k_blend: 0.5 };

/** Texts of the command line. */
const OPTIONS = [
  'in_strength=0,3,6,12',
  'sampler=ddim,euler',
  'prompt=sloth,red apple',
  'seed=1,2,18446744073709551615',
];

/** Documents that are read in memory, each by the function that every command reads it by. */
export const DOCUMENT_TARGETS: readonly Target[] = [
  {
    name: 'safetensors',
    describe: 'tensors of a file in memory',
    bases: () => [
      { file: tensorsPart('demo/text/embeddings.safetensors') },
      { file: tensorsPart('companions/ip_adapter_sd15.safetensors') },
    ],
    read: (files) => decodeSafetensors(bytesOf(files, 'file'), 'input.safetensors'),
  },
  {
    name: 'manifest',
    describe: 'slothful.json of a pipeline',
    bases: () => [{ file: { kind: 'json', value: MANIFEST } }],
    read: (files) => parsePipelineManifest(textOf(files, 'file'), 'slothful.json'),
  },
  {
    name: 'unet-config',
    describe: "a UNet's config.json",
    bases: () => ['sd15', 'sdxl', 'ssd1b'].map((name) => ({ file: jsonPart(`unet/${name}/diffusers/config.json`) })),
    read: (files) => parseUNetConfig(json(textOf(files, 'file')), 'config.json'),
  },
  {
    name: 'scheduler',
    describe: 'scheduler_config.json, and the steps that it makes',
    bases: () =>
      ['demo', 'pipeline/sd15', 'pipeline/sdxl'].map((name) => ({
        file: jsonPart(`${name}/scheduler/scheduler_config.json`),
      })),
    read: (files) => makeScheduler(parseSchedulerConfig(json(textOf(files, 'file')), 'scheduler.json').config, 8),
  },
  {
    name: 'parameters',
    describe: "Slothful Attention's parameters as JSON",
    bases: () => [{ file: { kind: 'json', value: PARAMETERS } }],
    read: (files) => parseParameters(json(textOf(files, 'file')), 'parameters.json'),
  },
  {
    name: 'options',
    describe: 'axes of sweeps and passes with their parameters, as flags',
    bases: () => [...OPTIONS, 'freeu,b1=1.2,s1=0.9'].map((text) => ({ file: textPart(text) })),
    read: (files) => {
      const text = textOf(files, 'file');
      return text.startsWith('freeu') ? parsePassOption(text, '--pass') : parseAxis(text, '--axis');
    },
  },
  {
    name: 'python-json',
    describe: 'JSON as Python writes it',
    bases: () => [{ file: textPart(readFileSync(fixture('comfyui/workflows/03_api_img2img.json'), 'utf8')) }],
    read: (files) => parsePythonJson(textOf(files, 'file'), 'input.json'),
  },
  {
    name: 'text-table',
    describe: 'the words of a small model, with their embeddings',
    bases: () => [
      { vocabulary: jsonPart('demo/text/vocab.json'), tensors: tensorsPart('demo/text/embeddings.safetensors') },
    ],
    read: (files) => {
      const tensors = decodeSafetensors(bytesOf(files, 'tensors'), 'embeddings.safetensors');
      return parseTextTable(json(textOf(files, 'vocabulary')), tensors, 'vocab.json');
    },
  },
];
