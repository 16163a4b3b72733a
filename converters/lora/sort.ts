/** Which tensors of a LoRA file are for the part that it is opened for, and what becomes of the others. */
import { basename } from 'node:path';
import { SlothfulError } from '../../src/errors.ts';
import { HYPERNETWORK_NAMES, looksLike, refuseHypernetwork } from '../checkpoint/index.ts';
import type { TensorSource } from '../weights/index.ts';
import type { ModuleTensors } from './changes.ts';
import { type LoraTensor, parseLoraKey } from './parse-lora.ts';
import { type LoraOwner, type LoraPart, listOf, titleOf } from './parts.ts';

const CURE = 'give a LoRA in the spelling of kohya, LyCORIS, diffusers, PEFT or ComfyUI';

/** What a LoRA is opened for. */
export interface LoraGoal {
  readonly part: LoraPart;
  /** All parts of a pipeline that are converted, this one among them. Where nothing is said it is converted by itself. */
  readonly together?: readonly LoraPart[] | undefined;
  /** Leave out what a model does not have. */
  readonly partial?: boolean | undefined;
}

/** What a LoRA has for one module. */
export interface SortedModule {
  /** Its name as the file has it, without the prefix of its part. */
  readonly path: string;
  readonly tensors: ModuleTensors;
}

/** A LoRA's tensors. */
export interface SortedLora {
  /** Those of the part, by module. */
  readonly own: ReadonlyMap<string, SortedModule>;
  /** Of each tensor of another owner the module that it is for. */
  readonly others: ReadonlyMap<LoraOwner, readonly string[]>;
}

/**
 * Sorts the tensors of a LoRA by whose they are, and those of the part by module.
 *
 * @throws SlothfulError `unsupported` for OFT, IA3 and their like, for a file with nothing to fuse, and for modules
 * of a text encoder that the pipeline does not have; `bad-checkpoint` for what is no LoRA
 */
export function sortTensors(path: string, tensors: ReadonlyMap<string, TensorSource>, goal: LoraGoal): SortedLora {
  const own = new Map<string, SortedModule>();
  const others = new Map<LoraOwner, string[]>();
  const strangers: string[] = [];
  for (const [name, source] of tensors) {
    const key = parseLoraKey(name);
    // What another part will refuse is refused with the first one, before anything is converted.
    const isConverted = isAmong(goal.together ?? [goal.part], key.owner);
    if (isConverted && key.kind === 'foreign') refuseForeign(path, name, key.what);
    // What has no prefix would be the UNet's, and need not be of a LoRA at all.
    if (key.kind === 'unknown' && (isConverted || key.owner === 'unet')) strangers.push(name);
    else if (key.owner === goal.part && key.kind === 'matrix') {
      own.set(key.module, withMatrix(path, own.get(key.module), key, source));
    } else addTo(others, key.owner, key.kind === 'matrix' ? key.module : name);
  }
  const sorted = { own, others };
  if (own.size === 0 && others.size === 0) refuseOther(path, [...tensors.keys()]);
  refuseStrangers(path, strangers);
  refuseUseless(path, sorted, goal);
  refuseAbsent(path, sorted, goal);
  return sorted;
}

function withMatrix(
  file: string,
  { tensors }: SortedModule = { path: '', tensors: {} },
  { module, path, part }: { module: string; path: string; part: LoraTensor },
  source: TensorSource,
): SortedModule {
  const other = tensors[part];
  if (!other) return { path, tensors: { ...tensors, [part]: source } };
  const problem = `changes "${module}" twice, by two spellings of it: "${other.name}" and "${source.name}"`;
  throw new SlothfulError('bad-checkpoint', file, problem, CURE);
}

function addTo(others: Map<LoraOwner, string[]>, owner: LoraOwner, module: string): void {
  const modules = others.get(owner) ?? [];
  modules.push(module);
  others.set(owner, modules);
}

function refuseForeign(path: string, name: string, what: string): never {
  const cure = 'LoRA, DoRA, LoHa, LoKr and differences can be fused: merge it into the checkpoint with its own tool';
  throw new SlothfulError('unsupported', path, `is ${what}, by its tensor "${name}"`, cure);
}

function refuseOther(path: string, names: readonly string[]): never {
  if (names.some((name) => HYPERNETWORK_NAMES.test(name))) refuseHypernetwork(path);
  const what = looksLike(names);
  const problem = `holds no LoRA among its ${names.length} tensors${what ? `: it looks like ${what}` : ''}`;
  throw new SlothfulError('bad-checkpoint', path, problem, CURE);
}

function refuseStrangers(path: string, names: readonly string[]): void {
  if (names.length === 0) return;
  const problem = `has ${names.length} tensors that belong to no LoRA, such as "${names[0]}"`;
  throw new SlothfulError('bad-checkpoint', path, problem, CURE);
}

/** A LoRA for none of the parts that are converted. */
function refuseUseless(path: string, { own, others }: SortedLora, goal: LoraGoal): void {
  const { together = [goal.part] } = goal;
  if (own.size || together.some((part) => others.has(part))) return;
  const has = [...countsOfLeft(others, goal)].map(([what, count]) => `${count} tensors for ${what}`).join(' and ');
  const problem = `has ${has} and none for ${together.map(titleOf).join(' or ')}`;
  throw new SlothfulError('unsupported', path, problem, 'nothing of it can be fused here: leave it out');
}

function isText(owner: LoraOwner): boolean {
  return owner !== 'unet';
}

/** Modules of a text encoder that is not there, where others are and it is not a choice to leave it. */
function refuseAbsent(path: string, { others }: SortedLora, { together = [], partial }: LoraGoal): void {
  if (partial || !together.some(isText)) return;
  for (const [owner, names] of others) {
    if (!isText(owner) || owner === 'embedding' || isAmong(together, owner)) continue;
    const modules = [...new Set(names)];
    const what = `${modules.length} modules of ${titleOf(owner)}, which this pipeline does not have`;
    const cure = 'give a LoRA of the same family, or fuse the rest with --lora-partial';
    throw new SlothfulError('unsupported', path, `changes ${what}: ${listOf(modules)}`, cure);
  }
}

function isAmong(parts: readonly LoraOwner[], owner: LoraOwner): boolean {
  return parts.includes(owner);
}

/** How many tensors are in no part that is converted, by whose they are, in words. */
function countsOfLeft(others: SortedLora['others'], { part, together = [part] }: LoraGoal): Map<string, number> {
  const counts = new Map<string, number>();
  // Where no text encoder is converted, which of them a tensor is for does not matter.
  const apart = together.some(isText);
  for (const [owner, modules] of others) {
    if (isAmong(together, owner)) continue;
    const what = apart || !isText(owner) ? titleOf(owner) : 'text encoders';
    counts.set(what, (counts.get(what) ?? 0) + modules.length);
  }
  return counts;
}

/** What of a LoRA is left because the part that it is for is not converted: notes for the user. */
export function leftNotes(path: string, { others }: SortedLora, goal: LoraGoal): string[] {
  const counts = [...countsOfLeft(others, goal)];
  return counts.map(([what, count]) => `left ${count} tensors of ${basename(path)} that are for ${what}`);
}
