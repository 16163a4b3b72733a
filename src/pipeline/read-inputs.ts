import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { messageOf, SlothfulError } from '../errors.ts';
import { isObject } from '../graph/index.ts';
import { readJson } from '../models/node.ts';
import {
  DEFAULT_PARAMETERS,
  parametersFromJson,
  type SlothfulParameters,
  simpleParameters,
} from '../passes/slothful/index.ts';
import { decodePng } from '../pictures/node.ts';
import { type PictureSize, parseTextTable, type TextTable, type Values } from '../sampling/index.ts';
import { readSafetensors as readTensorValues } from '../tensors/node.ts';

export { readSafetensors as readTensorValues } from '../tensors/node.ts';

import {
  type Conditioner,
  promptConditioner,
  tensorConditioning,
  withImageEmbeds,
  withTimeIds,
} from './conditioning.ts';
import type { OpenedModel } from './open-model.ts';
import type { ControlNetChoice } from './steer.ts';

function readBytes(path: string): Promise<Buffer> {
  return readFile(path).catch((error: unknown) => {
    throw new SlothfulError('io', path, `cannot be read (${messageOf(error)})`, 'check the path');
  });
}

/** Values as tensors, the caller's to dispose. The backend must have been chosen. */
export function makeTensors(values: ReadonlyMap<string, Values>): Map<string, tf.Tensor> {
  return new Map([...values].map(([name, { shape, data }]) => [name, tf.tensor(data, [...shape], 'float32')]));
}

/**
 * The text table that a model carries, by which prompts can be used without a text encoder.
 *
 * @throws SlothfulError `bad-input` where the model has none, `io`, `bad-model`
 */
export async function readTextTable({ place, graph }: Pick<OpenedModel, 'place' | 'graph'>): Promise<TextTable> {
  const folder = dirname(place);
  const { text } = graph.metadata;
  if (!isObject(text) || typeof text.vocab !== 'string' || typeof text.embeddings !== 'string') {
    const cure = 'give text embeddings of your own encoder as a safetensors file (--cond)';
    throw new SlothfulError('bad-input', folder, 'carries no text table, so it cannot read a prompt', cure);
  }
  const values = await readTensorValues(inside(folder, text.embeddings));
  return parseTextTable(await readJson(inside(folder, text.vocab)), values, folder);
}

/** A path that a model names must stay in its folder. */
function inside(folder: string, path: string): string {
  if (!path.split(/[\\/]/).includes('..') && !/^([\\/]|[a-z]:)/i.test(path)) return join(folder, path);
  throw new SlothfulError('bad-model', folder, `names a file outside of its folder: "${path}"`);
}

/** What a run is told, in words and in the names of files. */
export interface TextChoice {
  /** For models that carry a text table. */
  readonly prompt?: string | undefined;
  /** What to be guided away from; default: the empty prompt. */
  readonly negativePrompt?: string | undefined;
  /** In the place of a prompt: safetensors file with the text, and the model's other inputs by name. */
  readonly cond?: string | undefined;
  /** The same of the empty prompt, for guidance. */
  readonly uncond?: string | undefined;
  /** Safetensors file with an IP-Adapter's `image_embeds`. */
  readonly imageEmbeds?: string | undefined;
}

/**
 * Reads what a run is told: the model's text table or files of tensors, and the image of an IP-Adapter.
 *
 * @param pixels of the picture, which SDXL's kin is told too
 * @param prompts all that will be asked for: they are tried before anything is loaded
 * @throws SlothfulError `usage` where there is no prompt, `bad-input` for words that the model does not have, `io`,
 *   `bad-checkpoint`, `bad-model`
 */
export async function readConditioner(
  model: OpenedModel,
  { negativePrompt, cond, uncond, imageEmbeds }: TextChoice,
  pixels: PictureSize,
  prompts: readonly (string | undefined)[],
): Promise<Conditioner> {
  const make =
    cond === undefined ? promptConditioner(await readTextTable(model), negativePrompt) : await fromFiles(cond, uncond);
  const image = imageEmbeds === undefined ? undefined : await readTensorValues(imageEmbeds);
  const complete: Conditioner = (prompt) => {
    const told = withTimeIds(make(prompt), model.inputs, pixels);
    return image && imageEmbeds ? withImageEmbeds(told, image, imageEmbeds) : told;
  };
  for (const prompt of prompts) complete(prompt);
  return complete;
}

async function fromFiles(cond: string, uncond: string | undefined): Promise<Conditioner> {
  const read = async (path: string) => tensorConditioning(await readTensorValues(path), path);
  const conditioning = { cond: await read(cond), uncond: uncond === undefined ? undefined : await read(uncond) };
  return () => conditioning;
}

/** A ControlNet by the names of files. */
export interface ControlNetFiles {
  /** Folder, model.json or URL of the converted ControlNet. */
  readonly model: string;
  /** PNG of what it is shown. */
  readonly image: string;
  /** Default 1. */
  readonly scale?: number | undefined;
}

/** Reads the images of ControlNets. @throws SlothfulError `io`, `bad-input` */
export async function readControlNets(files: readonly ControlNetFiles[]): Promise<ControlNetChoice[]> {
  const choices: ControlNetChoice[] = [];
  for (const { model, image, scale } of files) {
    choices.push({ model, image: decodePng(await readBytes(image), image), scale, place: image });
  }
  return choices;
}

/**
 * The parameters that a preset stands for: those of a node (`full`, `simple`), or of a file (a ComfyUI workflow will do).
 * `off` is undefined: without Slothful Attention.
 *
 * @throws SlothfulError `io`, `bad-input`, `bad-parameter`
 */
export async function readPreset(preset: string): Promise<SlothfulParameters | undefined> {
  if (preset === 'off') return undefined;
  if (preset === 'full') return DEFAULT_PARAMETERS;
  if (preset === 'simple') return simpleParameters({}, 'preset simple');
  return parametersFromJson(await readJson(preset), preset);
}
