import { basename } from 'node:path';
import { SlothfulError } from '../../src/errors.ts';
import type { TensorSource } from '../weights/index.ts';
import { looksLike } from './identify.ts';
import { type Located, locate } from './locate.ts';
import { readJsonIfThere } from './read-json.ts';
import { MARKS, readSampling, type SamplingFacts } from './sampling.ts';
import { openShards, openSingle, pickSources, type Shards } from './shards.ts';
import { withoutWrappers } from './wrappers.ts';

/** An open checkpoint: every tensor of the model that was looked for, by the name its layout gives it, unread. */
export interface Checkpoint {
  readonly path: string;
  readonly layout: 'diffusers' | 'ldm';
  /** What tells them from the tensors of other models: begins all of their names in the file. */
  readonly prefix: string;
  /** By name, without `prefix`. */
  readonly tensors: ReadonlyMap<string, TensorSource>;
  /** The parsed config.json, where there is one; not validated. */
  readonly config?: unknown;
  /** The parsed scheduler_config.json of a pipeline; not validated. */
  readonly schedulerConfig?: unknown;
  /** What marks and `__metadata__` say of sampling, and no config does; and what people are told of that. */
  readonly sampling: { readonly facts: SamplingFacts; readonly notes: readonly string[] };
  /** Names of tensors that are no weights, but say what the model is. */
  readonly marks: ReadonlySet<string>;
  /** Tensors of other models (VAE, text encoders, EMA) that were left alone. */
  readonly otherTensors: number;
  /** Bytes of these tensors. */
  readonly bytes: number;
  /** Choices that were made for the user and that they may want to know of, one line each. */
  readonly notes: readonly string[];
  close(): Promise<void>;
}

/** How a model's tensors are spelled in a file. */
export interface Spelling {
  readonly layout: Checkpoint['layout'];
  /** Begins all of their names. */
  readonly prefix: string;
  /** What people may want to know of the choice. */
  readonly note?: string;
}

/** What is looked for in a checkpoint, and how its tensors are told from others. */
export interface CheckpointKind {
  /** For messages, such as "ControlNet". */
  readonly what: string;
  /** How its tensors are spelled, and the prefix that is theirs; undefined where it is not there. */
  spelling(names: readonly string[]): Spelling | undefined;
  /** What a file is that looks like one and is another thing that cannot be converted, and what to do. */
  refused?(names: readonly string[]): { readonly problem: string; readonly cure: string } | undefined;
  /** What of it is there where `spelling` finds none: an unknown prefix, a half. */
  nearly?(names: readonly string[]): string | undefined;
  readonly cure: string;
  /** What its folder is called in a pipeline; `unet` where nothing is said. */
  readonly folder?: string;
}

/** How a checkpoint is opened. */
export interface OpenOptions {
  /** Which of a folder's variants to take, `''` for the plain one. */
  variant?: string | undefined;
  /** It is one part of a pipeline whose other parts are converted too: nothing is said of their tensors. */
  isPart?: boolean | undefined;
}

function refuseOther(path: string, names: readonly string[], kind: CheckpointKind): never {
  const { what: wanted, cure } = kind;
  const nearly = kind.nearly?.(names);
  const what = nearly === undefined ? looksLike(names) : undefined;
  const more = nearly ?? (what && `it looks like ${what}`);
  const problem = `holds no ${wanted} among its ${names.length} tensors${more ? `: ${more}` : ''}`;
  throw new SlothfulError('bad-checkpoint', path, problem, cure);
}

function notesOf({ weights }: Located, otherTensors: number, isPart: boolean): string[] {
  const { variant, variants } = weights;
  const notes: string[] = [];
  if (variants.length > 1) {
    const others = variants.filter((other) => other !== variant).map((other) => other || '(plain)');
    notes.push(`took ${basename(weights.path)}; --variant can choose ${others.join(', ')}`);
  }
  if (otherTensors && !isPart) notes.push(`left ${otherTensors} tensors of other models`);
  return notes;
}

async function jsonBeside({ configPath, schedulerPath }: Located) {
  const schedulerConfig = schedulerPath === undefined ? undefined : await readJsonIfThere(schedulerPath);
  return { config: await readJsonIfThere(configPath), schedulerConfig };
}

/** Of all files of a checkpoint: only one of them need have it. */
function metadataOf({ files }: Shards): ReadonlyMap<string, string> {
  return new Map(files.flatMap(({ metadata }) => [...metadata]));
}

async function describe(
  path: string,
  located: Located,
  stored: Shards,
  kind: CheckpointKind,
  isPart: boolean,
): Promise<Checkpoint> {
  const shards = { ...stored, ...withoutWrappers(stored.fileOf) };
  const names = [...shards.fileOf.keys()];
  const refused = kind.refused?.(names);
  if (refused) throw new SlothfulError('unsupported', path, refused.problem, refused.cure);
  const { note, ...spelling } = kind.spelling(names) ?? refuseOther(path, names, kind);
  const { tensors, bytes, others } = pickSources(shards, spelling.prefix, MARKS);
  // A config beside a file of several models need not be that of this one.
  const isAlone = spelling.layout === 'diffusers' && spelling.prefix === '';
  const beside = isAlone ? await jsonBeside(located) : { schedulerConfig: undefined };
  const { schedulerConfig } = beside;
  const called = `${basename(path)} ${basename(located.weights.path)}`;
  return {
    path,
    ...spelling,
    tensors,
    ...beside,
    sampling: readSampling({ names: new Set(names), metadata: metadataOf(stored), schedulerConfig, called }),
    marks: new Set(names.filter((name) => MARKS.has(name))),
    otherTensors: others,
    bytes,
    notes: [...notesOf(located, others, isPart), ...(note === undefined ? [] : [note])],
    close: () => closeAll(stored),
  };
}

/**
 * The names of all tensors of a single file, or of the index of several.
 *
 * @throws SlothfulError as `openCheckpoint` does
 */
export async function tensorNames(path: string): Promise<string[]> {
  const { weights } = await locate(path);
  const shards = weights.sharded ? await openShards(weights.path) : await openSingle(weights.path);
  await closeAll(shards);
  return [...withoutWrappers(shards.fileOf).fileOf.keys()];
}

async function closeAll({ files }: Shards): Promise<void> {
  await Promise.all(files.map((file) => file.close()));
}

/**
 * Opens a checkpoint and reads its headers: a model's folder (sharded or not), a pipeline folder that has it, or
 * one .safetensors file in LDM or diffusers names. No weights are read.
 *
 * @param kind what is looked for in it
 * @throws SlothfulError `io`, `bad-checkpoint`, `bad-input` (variant) or `unsupported` (pickles, other models' pipelines)
 */
export async function openCheckpoint(
  path: string,
  kind: CheckpointKind,
  { variant, isPart = false }: OpenOptions = {},
): Promise<Checkpoint> {
  const located = await locate(path, kind.folder, variant);
  const { weights } = located;
  const shards = weights.sharded ? await openShards(weights.path) : await openSingle(weights.path);
  try {
    return await describe(path, located, shards, kind, isPart);
  } catch (error) {
    await closeAll(shards);
    throw error;
  }
}
