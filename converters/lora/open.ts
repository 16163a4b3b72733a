import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { SlothfulError } from '../../src/errors.ts';
import { openSafetensors, type SafetensorsFile, toFloat32Array } from '../../src/tensors/node.ts';
import { isPickle, pickSources, refusePickle } from '../checkpoint/index.ts';
import { type TensorSource, weightDtype } from '../weights/index.ts';
import { isLcmLora, parseAdapterConfig } from './parse-lora.ts';
import type { LoraPart } from './parts.ts';
import { type LoraGoal, leftNotes, type Matrices, sortTensors } from './sort.ts';

/** A LoRA that is to be fused. */
export interface LoraOption {
  /** A .safetensors file, or a folder with `pytorch_lora_weights.safetensors`. */
  readonly file: string;
  /** How much of it; 1 by default, negative to take away. */
  readonly scale?: number;
  /** The same for the text encoders; default: as for the UNet. */
  readonly textScale?: number;
}

/**
 * Reads `file.safetensors:0.8`, `file.safetensors:0.8:0.6` with a scale of its own for the text encoders, or a path without
 * a scale.
 *
 * @throws SlothfulError `usage` for a scale that is not a number
 */
export function parseLoraOption(text: string): LoraOption {
  const [, before, one, other] = /^(.+):([^:\\/]*):([^:\\/]*)$/s.exec(text) ?? [];
  // What only looks like a third part is of the path: a drive's letter, or a colon in a name.
  if (before && one && isScale(one)) {
    return { ...parseScaled(`${before}:${one}`, text), textScale: scaleOf(other ?? '', text) };
  }
  return parseScaled(text, text);
}

const isScale = (text: string): boolean => /^[-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?$/i.test(text);

function scaleOf(text: string, whole: string): number {
  if (isScale(text)) return Number(text);
  const cure = 'write --lora file.safetensors:0.8';
  throw new SlothfulError('usage', `--lora ${whole}`, `"${text}" is not a scale`, cure);
}

function parseScaled(text: string, whole: string): LoraOption {
  const colon = text.lastIndexOf(':');
  const scale = text.slice(colon + 1);
  // A colon may be part of a path: of a drive's letter, or of a name.
  if (colon <= 0 || /[\\/]/.test(scale) || scale.endsWith('.safetensors')) return { file: text };
  return { file: text.slice(0, colon), scale: scaleOf(scale, whole) };
}

/** One module of a model that a LoRA changes: `weight += factor * up * down`. */
export interface LoraModule {
  /** The module, with underscores for dots. */
  readonly module: string;
  /** [rank, inputs] or [rank, inputs, h, w] */
  readonly down: TensorSource;
  /** [outputs, rank] or [outputs, rank, 1, 1] */
  readonly up: TensorSource;
  readonly rank: number;
  /** Scale times alpha over rank. */
  readonly factor: number;
}

/** An open LoRA: its matrices are unread. */
export interface LoraFile {
  readonly path: string;
  readonly scale: number;
  /** Those of the part that it was opened for; none where it is only for others that are converted too. */
  readonly modules: readonly LoraModule[];
  /** Its other modules are for a UNet that is converted too. */
  readonly alsoUNet: boolean;
  /** What of it is left, in words. */
  readonly notes: readonly string[];
  /** It was distilled for the LCM sampler. */
  readonly isLcm: boolean;
  close(): Promise<void>;
}

const REPOSITORY_NAME = 'pytorch_lora_weights.safetensors';

function locateLora(path: string): string {
  if (isPickle(path)) refusePickle(path);
  if (!existsSync(path)) throw new SlothfulError('io', path, 'does not exist', 'check the path of the LoRA');
  if (!statSync(path).isDirectory()) return path;
  const inside = join(path, REPOSITORY_NAME);
  if (existsSync(inside)) return inside;
  throw new SlothfulError('bad-checkpoint', path, `is a folder without ${REPOSITORY_NAME}`, 'give the file in it');
}

/** The only value of a tensor. */
async function scalarOf(source: TensorSource): Promise<number> {
  const values = toFloat32Array(await source.read(), weightDtype(source));
  const [value = Number.NaN] = values;
  if (values.length === 1 && Number.isFinite(value)) return value;
  const problem = values.length === 1 ? `is ${value}` : `has ${values.length} values`;
  throw new SlothfulError('bad-checkpoint', `${source.file} tensor "${source.name}"`, `${problem}, and is an alpha`);
}

/** Both matrices of a module and their rank, or an error that says what is missing or does not fit. */
function matricesOf(path: string, module: string, { down, up }: Matrices) {
  const place = `${path} module "${module}"`;
  if (!down || !up) {
    throw new SlothfulError('bad-checkpoint', place, `has no ${down ? 'up' : 'down'} matrix`, 'download it again');
  }
  for (const source of [down, up]) weightDtype(source);
  const [rank = 0] = down.shape;
  const [, upRank, ...taps] = up.shape;
  if (rank > 0 && upRank === rank && taps.every((size) => size === 1)) return { down, up, rank };
  const problem = `has a down matrix [${down.shape.join(', ')}] and an up matrix [${up.shape.join(', ')}]`;
  throw new SlothfulError('bad-checkpoint', place, problem, 'their ranks do not fit: download it again');
}

async function readModules(
  file: SafetensorsFile,
  own: ReadonlyMap<string, Matrices>,
  { part, scale }: { part: LoraPart; scale: number },
): Promise<LoraModule[]> {
  const config = own.size ? parseAdapterConfig(file.metadata, file.path, part) : undefined;
  const modules: LoraModule[] = [];
  for (const [module, each] of own) {
    const { down, up, rank } = matricesOf(file.path, module, each);
    const alpha = (each.alpha ? await scalarOf(each.alpha) : config?.alphaOf(module)) ?? rank;
    const divisor = config?.rankStabilised ? Math.sqrt(rank) : rank;
    modules.push({ module, down, up, rank, factor: (scale * alpha) / divisor });
  }
  return modules;
}

async function readLora(
  file: SafetensorsFile,
  { file: asked, scale: unetScale = 1, textScale = unetScale }: LoraOption,
  goal: LoraGoal,
): Promise<LoraFile> {
  const scale = goal.part === 'unet' ? unetScale : textScale;
  const { path } = file;
  const fileOf = new Map([...file.tensors.keys()].map((name) => [name, file]));
  const { tensors } = pickSources({ files: [file], fileOf }, '');
  const sorted = sortTensors(path, tensors, goal);
  return {
    path,
    scale,
    modules: await readModules(file, sorted.own, { part: goal.part, scale }),
    alsoUNet: goal.together?.includes('unet') === true && sorted.others.has('unet'),
    notes: leftNotes(path, sorted, goal),
    isLcm: isLcmLora(asked, file.metadata),
    close: () => file.close(),
  };
}

/**
 * Opens a LoRA for a part of a pipeline, a UNet where nothing is said, and checks that its matrices belong together; only
 * the alphas are read.
 *
 * @throws SlothfulError `io`, `bad-checkpoint`, `bad-parameter` (scale) or `unsupported`: DoRA, LoHa, LoKr and their
 * like, pickles, hypernetworks
 */
export async function openLora(option: LoraOption, goal: LoraGoal = { part: 'unet' }): Promise<LoraFile> {
  const { file: asked, scale = 1 } = option;
  if (!Number.isFinite(scale)) {
    throw new SlothfulError('bad-parameter', `LoRA ${asked}`, `the scale ${scale} is not a finite number`);
  }
  const file = await openSafetensors(locateLora(asked));
  try {
    return await readLora(file, option, goal);
  } catch (error) {
    await file.close();
    throw error;
  }
}
