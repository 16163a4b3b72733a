import { basename } from 'node:path';
import { SlothfulError } from '../../src/errors.ts';
import { sizeOf } from '../../src/graph/index.ts';
import { openSafetensors, type SafetensorsFile, toNumbers } from '../../src/tensors/node.ts';
import { pickSources } from '../checkpoint/index.ts';
import type { TensorSource } from '../weights/index.ts';
import { type LoraModule, moduleChanges } from './changes.ts';
import { locateLora, settingsBeside } from './locate.ts';
import { isLcmLora } from './parse-lora.ts';
import { isAlphaOptional, type LoraPart } from './parts.ts';
import { type AdapterSettings, parseSettings } from './settings.ts';
import { type LoraGoal, leftNotes, type SortedLora, sortTensors } from './sort.ts';

/** A LoRA that is to be fused. */
export interface LoraOption {
  /** A .safetensors file, or a folder with one: diffusers' `pytorch_lora_weights`, PEFT's `adapter_model`. */
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

/** The only value of a tensor, whatever numbers it holds. */
async function scalarOf(source: TensorSource): Promise<number> {
  const count = sizeOf(source.shape);
  const [value] = count === 1 ? (toNumbers(await source.read(), source.dtype) ?? []) : [];
  if (value !== undefined && Number.isFinite(value)) return value;
  const problem = count === 1 ? `is ${value ?? source.dtype}` : `has ${count} values`;
  throw new SlothfulError('bad-checkpoint', `${source.file} tensor "${source.name}"`, `${problem}, and is an alpha`);
}

interface Reading {
  readonly scale: number;
  readonly settings: AdapterSettings | undefined;
}

async function readModules(file: string, own: SortedLora['own'], { scale, settings }: Reading): Promise<LoraModule[]> {
  const modules: LoraModule[] = [];
  for (const [module, { path, tensors }] of own) {
    const alpha = tensors.alpha && (await scalarOf(tensors.alpha));
    modules.push(moduleChanges({ module, path }, tensors, { file, scale, settings, alpha }));
  }
  return modules;
}

/** PEFT's settings that are in the file, or else beside it. */
async function settingsOf(file: SafetensorsFile, part: LoraPart): Promise<AdapterSettings | undefined> {
  const inside = file.metadata.get(METADATA);
  const text =
    inside === undefined
      ? await settingsBeside(file.path, file.tensors.keys())
      : { text: inside, place: `${file.path} "${METADATA}"` };
  return text && parseSettings(text, file.path, part);
}

const METADATA = 'lora_adapter_metadata';

/** Notes about strengths that the file does not tell, or that are none. */
function alphaNotes(
  file: string,
  { own }: SortedLora,
  modules: readonly LoraModule[],
  settings: AdapterSettings | undefined,
): string[] {
  const name = basename(file);
  const changes = modules.flatMap(({ weight }) => weight);
  const isRanked = changes.some(({ rank }) => rank > 0);
  const sources = [...own.values()].flatMap(({ tensors }) => Object.values(tensors));
  const hasAlpha = settings !== undefined || [...own.values()].some(({ tensors }) => tensors.alpha);
  const isAssumed = isRanked && !hasAlpha && !sources.some((source) => isAlphaOptional(source.name));
  const none = changes.filter(({ factor }) => factor === 0).length;
  return [
    ...(isAssumed ? [`${name} tells no alpha: it was taken to be the rank, as other programs do`] : []),
    ...(none ? [`${none} modules of ${name} have the alpha 0, and so change nothing`] : []),
  ];
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
  const settings = sorted.own.size ? await settingsOf(file, goal.part) : undefined;
  const modules = await readModules(path, sorted.own, { scale, settings });
  return {
    path,
    scale,
    modules,
    alsoUNet: goal.together?.includes('unet') === true && sorted.others.has('unet'),
    notes: [...alphaNotes(path, sorted, modules, settings), ...leftNotes(path, sorted, goal)],
    isLcm: isLcmLora(asked, file.metadata),
    close: () => file.close(),
  };
}

/**
 * Opens a LoRA for a part of a pipeline, a UNet where nothing is said, and checks that its matrices belong together; only
 * the alphas are read.
 *
 * @throws SlothfulError `io`, `bad-checkpoint`, `bad-parameter` (scale) or `unsupported`: OFT, IA3 and their like,
 * pickles, hypernetworks
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
