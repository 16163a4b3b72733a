import { join } from 'node:path';
import {
  convertCheckpoint,
  convertControlNet,
  convertPipeline,
  convertTaesd,
  convertTextEncoder,
  convertVae,
} from '../../../converters/index.ts';
import type { Base } from '../plan.ts';
import type { Target } from '../target.ts';
import { fixture, jsonPart, tensorsPart, tokenizerBase } from './parts.ts';
import { smallUNet } from './small-unet.ts';

const SD15 = fixture('unet/sd15/diffusers');
const WEIGHTS = 'diffusion_pytorch_model.safetensors';

/** A folder of diffusers': its config and its weights. */
function folder(path: string, weights = WEIGHTS): Base {
  return { 'config.json': jsonPart(`${path}/config.json`), [weights]: tensorsPart(`${path}/${weights}`) };
}

/** The files of a folder in that of a pipeline. */
function inside(name: string, base: Base): Base {
  return Object.fromEntries(Object.entries(base).map(([path, part]) => [`${name}/${path}`, part]));
}

/** Checkpoints, which are converted to the end where they are taken. */
const CHECKPOINTS: readonly Target[] = [
  {
    name: 'unet',
    describe: 'a UNet: config and tensors',
    bases: () => [smallUNet(), folder('unet/sdxl/diffusers')],
    read: (_, place) => convertCheckpoint(place.in, place.out),
    isOnDisk: true,
  },
  {
    name: 'ldm',
    describe: 'a UNet of a single file, whose config is told by its tensors',
    bases: () => [{ 'model.safetensors': tensorsPart('unet/sd15/ldm.safetensors') }],
    read: (_, place) => convertCheckpoint(join(place.in, 'model.safetensors'), place.out),
    isOnDisk: true,
  },
  {
    name: 'controlnet',
    describe: 'a ControlNet: config and tensors',
    bases: () => [folder('companions/controlnet_sd15')],
    read: (_, place) => convertControlNet(place.in, place.out),
    isOnDisk: true,
  },
  {
    name: 'vae',
    describe: "a VAE's decoder: config and tensors",
    bases: () => [folder('pipeline/sd15/vae')],
    read: (_, place) => convertVae(place.in, place.out, 'decoder'),
    isOnDisk: true,
  },
  {
    name: 'taesd',
    describe: 'a TAESD in the names of its author, and of diffusers',
    bases: () => [
      { 'taesd_decoder.safetensors': tensorsPart('pipeline/taesd/taesd_decoder.safetensors') },
      folder('pipeline/taesd'),
    ],
    read: (_, place) => convertTaesd(place.in, place.out, 'decoder'),
    isOnDisk: true,
  },
  {
    name: 'clip',
    describe: 'a text encoder: config and tensors',
    bases: () => [folder('pipeline/sd15/text_encoder', 'model.safetensors')],
    read: (_, place) => convertTextEncoder(place.in, place.out),
    isOnDisk: true,
  },
  {
    name: 'pipeline',
    describe: 'what is beside the UNet in a folder of a whole pipeline',
    bases: () => [
      {
        'model_index.json': jsonPart('pipeline/sd15/model_index.json'),
        ...inside('text_encoder', folder('pipeline/sd15/text_encoder', 'model.safetensors')),
        ...inside('vae', folder('pipeline/sd15/vae')),
        ...inside('tokenizer', tokenizerBase()),
      },
    ],
    read: (_, place) => convertPipeline(place.in, place.out, { only: ['text', 'vae'] }),
    isOnDisk: true,
  },
];

/** What a UNet that is whole is converted together with. */
const COMPANIONS: readonly Target[] = [
  {
    name: 'lora',
    describe: "LoRAs in kohya's names and in peft's, fused into a UNet",
    bases: () =>
      ['kohya', 'peft'].map((names) => ({
        'lora.safetensors': tensorsPart(`companions/lora_sd15_${names}.safetensors`),
      })),
    read: (_, place) => convertCheckpoint(SD15, place.out, { lora: [{ file: join(place.in, 'lora.safetensors') }] }),
    isOnDisk: true,
  },
  {
    name: 'ip-adapter',
    describe: 'an IP-Adapter, added to a UNet',
    bases: () => [{ 'adapter.safetensors': tensorsPart('companions/ip_adapter_sd15.safetensors') }],
    read: (_, place) =>
      convertCheckpoint(SD15, place.out, { ipAdapter: { file: join(place.in, 'adapter.safetensors') } }),
    isOnDisk: true,
  },
];

export const CONVERSION_TARGETS: readonly Target[] = [...CHECKPOINTS, ...COMPANIONS];
