import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { SlothfulError } from '../../src/errors.ts';
import { openSafetensors, type SafetensorsFile, toFloat32Array } from '../../src/tensors/node.ts';
import {
  HYPERNETWORK_NAMES,
  isPickle,
  looksLike,
  pickSources,
  refuseHypernetwork,
  refusePickle,
} from '../checkpoint/index.ts';
import { type TensorSource, weightDtype } from '../weights/index.ts';
import { isLcmLora, parseAdapterConfig, parseLoraKey } from './parse-lora.ts';

/** A LoRA that is to be fused. */
export interface LoraOption {
  /** A .safetensors file, or a folder with `pytorch_lora_weights.safetensors`. */
  readonly file: string;
  /** How much of it; 1 by default, negative to take away. */
  readonly scale?: number;
}

/**
 * Reads `file.safetensors:0.8`, or a path without a scale.
 *
 * @throws SlothfulError `usage` for a scale that is not a number
 */
export function parseLoraOption(text: string): LoraOption {
  const colon = text.lastIndexOf(':');
  const scale = text.slice(colon + 1);
  // A colon may be part of a path: of a drive's letter, or of a name.
  if (colon <= 0 || /[\\/]/.test(scale) || scale.endsWith('.safetensors')) return { file: text };
  if (!/^[-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?$/i.test(scale)) {
    throw new SlothfulError(
      'usage',
      `--lora ${text}`,
      `"${scale}" is not a scale`,
      'write --lora file.safetensors:0.8',
    );
  }
  return { file: text.slice(0, colon), scale: Number(scale) };
}

/** One module of a UNet that a LoRA changes: `weight += factor * up * down`. */
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
  readonly modules: readonly LoraModule[];
  /** How many of its tensors are for text encoders, which are not converted here. */
  readonly textTensors: number;
  /** It was distilled for the LCM sampler. */
  readonly isLcm: boolean;
  close(): Promise<void>;
}

type Parts = Partial<Record<'down' | 'up' | 'alpha', TensorSource>>;

const REPOSITORY_NAME = 'pytorch_lora_weights.safetensors';

function locateLora(path: string): string {
  if (isPickle(path)) refusePickle(path);
  if (!existsSync(path)) throw new SlothfulError('io', path, 'does not exist', 'check the path of the LoRA');
  if (!statSync(path).isDirectory()) return path;
  const inside = join(path, REPOSITORY_NAME);
  if (existsSync(inside)) return inside;
  throw new SlothfulError('bad-checkpoint', path, `is a folder without ${REPOSITORY_NAME}`, 'give the file in it');
}

function refuseOther(path: string, names: readonly string[]): never {
  if (names.some((name) => HYPERNETWORK_NAMES.test(name))) refuseHypernetwork(path);
  const what = looksLike(names);
  const problem = `holds no LoRA among its ${names.length} tensors${what ? `: it looks like ${what}` : ''}`;
  throw new SlothfulError('bad-checkpoint', path, problem, 'give a LoRA in kohya, diffusers or PEFT spelling');
}

/** Sorts tensors by module. */
function sortParts(path: string, tensors: ReadonlyMap<string, TensorSource>) {
  const parts = new Map<string, Parts>();
  const unknown: string[] = [];
  let textTensors = 0;
  for (const [name, source] of tensors) {
    const key = parseLoraKey(name);
    if (key.kind === 'foreign') {
      const cure = 'only plain LoRAs can be fused: merge it into the checkpoint with its own tool';
      throw new SlothfulError('unsupported', path, `is ${key.what}, by its tensor "${name}"`, cure);
    }
    if (key.kind === 'text') textTensors++;
    else if (key.kind === 'unknown') unknown.push(name);
    else parts.set(key.module, { ...parts.get(key.module), [key.part]: source });
  }
  return { parts, unknown, textTensors };
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
function matricesOf(path: string, module: string, { down, up }: Parts) {
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

async function readModules(file: SafetensorsFile, parts: ReadonlyMap<string, Parts>, scale: number) {
  const config = parseAdapterConfig(file.metadata, file.path);
  const modules: LoraModule[] = [];
  for (const [module, each] of parts) {
    const { down, up, rank } = matricesOf(file.path, module, each);
    const alpha = (each.alpha ? await scalarOf(each.alpha) : config?.alphaOf(module)) ?? rank;
    const divisor = config?.rankStabilised ? Math.sqrt(rank) : rank;
    modules.push({ module, down, up, rank, factor: (scale * alpha) / divisor });
  }
  return modules;
}

async function readLora(file: SafetensorsFile, asked: string, scale: number): Promise<LoraFile> {
  const { path } = file;
  const fileOf = new Map([...file.tensors.keys()].map((name) => [name, file]));
  const { tensors } = pickSources({ files: [file], fileOf }, '');
  const { parts, unknown, textTensors } = sortParts(path, tensors);
  const [stranger] = unknown;
  if (parts.size === 0 && textTensors === 0) refuseOther(path, [...tensors.keys()]);
  if (stranger !== undefined) {
    const problem = `has ${unknown.length} tensors that belong to no LoRA, such as "${stranger}"`;
    throw new SlothfulError('bad-checkpoint', path, problem, 'give a LoRA in kohya, diffusers or PEFT spelling');
  }
  if (parts.size === 0) {
    const problem = `has ${textTensors} tensors for text encoders and none for the UNet`;
    throw new SlothfulError('unsupported', path, problem, 'nothing of it can be fused into a UNet: leave it out');
  }
  const modules = await readModules(file, parts, scale);
  return { path, scale, modules, textTensors, isLcm: isLcmLora(asked, file.metadata), close: () => file.close() };
}

/**
 * Opens a LoRA and checks that its matrices belong together; only the alphas are read.
 *
 * @throws SlothfulError `io`, `bad-checkpoint`, `bad-parameter` (scale) or `unsupported`: DoRA, LoHa, LoKr and their
 * like, pickles, hypernetworks
 */
export async function openLora({ file: asked, scale = 1 }: LoraOption): Promise<LoraFile> {
  if (!Number.isFinite(scale)) {
    throw new SlothfulError('bad-parameter', `LoRA ${asked}`, `the scale ${scale} is not a finite number`);
  }
  const file = await openSafetensors(locateLora(asked));
  try {
    return await readLora(file, asked, scale);
  } catch (error) {
    await file.close();
    throw error;
  }
}
