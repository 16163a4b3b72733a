import { dirname, join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { SlothfulError } from '../errors.ts';
import { isObject } from '../graph/index.ts';
import { readJson } from '../models/node.ts';
import { DEFAULT_PARAMETERS, type SlothfulParameters, simpleParameters } from '../passes/slothful/index.ts';
import { parseTextTable, type RunConditioning, type TextTable, type Values } from '../sampling/index.ts';
import { readSafetensors as readTensorValues } from '../tensors/node.ts';

export { readSafetensors as readTensorValues } from '../tensors/node.ts';

import {
  bothHalves,
  type ControlNetChoice,
  encoderSource,
  type OpenedModel,
  type PromptChoice,
  type TextSource,
  tableSource,
  tensorConditioning,
  tensorSource,
  withoutBeside,
} from '../pipeline/index.ts';
import { readParametersFile } from '../workflows/node.ts';
import { isTold, type OnNote, readAsked } from './asked-tensors.ts';
import { readPicture } from './read-start.ts';

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
    const cure = 'convert the whole pipeline (without --only), or give text embeddings as a safetensors file (--cond)';
    throw new SlothfulError('bad-input', folder, 'has no text encoder, so it cannot read a prompt', cure);
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
export interface TextChoice extends PromptChoice {
  /** In the place of a prompt: safetensors file with the text, and the model's other inputs by name. */
  readonly cond?: string | undefined;
  /** The same of the empty prompt, for guidance. */
  readonly uncond?: string | undefined;
}

/**
 * Where the text of runs comes from: files of tensors, or the text encoders of the model's pipeline, or the words that a
 * small model carries.
 *
 * @throws SlothfulError `io`, `bad-checkpoint`, `bad-model`; `bad-input` where the model can read no prompt
 */
export async function readText(
  model: OpenedModel,
  choice: TextChoice & { readonly onNote?: OnNote },
): Promise<TextSource> {
  if (choice.cond !== undefined) return fromFiles(model, choice.cond, choice);
  return (await encoderSource(model, choice)) ?? tableSource(await readTextTable(model), choice);
}

/** What a model is told by files of tensors, and what of the first it takes beside its sample. */
async function fromFiles(
  model: OpenedModel,
  place: string,
  { uncond, onNote }: { readonly uncond?: string | undefined; readonly onNote?: OnNote },
): Promise<TextSource> {
  const read = async (path: string) => {
    const { tensors } = await readAsked(path, isTold(model), onNote);
    return withoutBeside(model.graph, tensors);
  };
  const { told, beside } = await read(place);
  const other = uncond === undefined ? undefined : { place: uncond, told: (await read(uncond)).told };
  const both = other ? undefined : bothHalves(told);
  const conditioning: RunConditioning = {
    cond: tensorConditioning(both?.cond ?? told, place),
    uncond: other ? tensorConditioning(other.told, other.place) : both && tensorConditioning(both.uncond, place),
  };
  return tensorSource(conditioning, { tensors: beside, place });
}

/** A ControlNet by the names of files. */
export interface ControlNetFiles {
  /** Folder, model.json or URL of the converted ControlNet. */
  readonly model: string;
  /** Picture of what it is shown. */
  readonly image: string;
  /** Default 1. */
  readonly scale?: number | undefined;
}

/** Reads the images of ControlNets. @throws SlothfulError `io`, `bad-input` */
export async function readControlNets(files: readonly ControlNetFiles[]): Promise<ControlNetChoice[]> {
  const choices: ControlNetChoice[] = [];
  for (const { model, image, scale } of files) {
    choices.push({ model, image: await readPicture(image), scale, place: image });
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
  return readParametersFile(preset);
}
