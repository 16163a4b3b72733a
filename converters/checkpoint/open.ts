import { basename } from 'node:path';
import { SlothfulError } from '../../src/errors.ts';
import type { TensorSource } from '../weights/index.ts';
import { looksLike } from './identify.ts';
import { type Located, locate } from './locate.ts';
import { readJsonIfThere } from './read-json.ts';
import { openShards, openSingle, pickSources, type Shards } from './shards.ts';

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
  /** The parsed scheduler_config.json of a pipeline, or the fields that a single file's marks set; not validated. */
  readonly schedulerConfig?: unknown;
  /** Tensors of other models (VAE, text encoders, EMA) that were left alone. */
  readonly otherTensors: number;
  /** Bytes of these tensors. */
  readonly bytes: number;
  /** Choices that were made for the user and that they may want to know of, one line each. */
  readonly notes: readonly string[];
  close(): Promise<void>;
}

/** What is looked for in a checkpoint, and how its tensors are told from others. */
export interface CheckpointKind {
  /** For messages, such as "ControlNet". */
  readonly what: string;
  /** How its tensors are spelled, and the prefix that is theirs; undefined where it is not there. */
  spelling(names: readonly string[]): { layout: Checkpoint['layout']; prefix: string } | undefined;
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

/** What the empty tensors that single files carry as marks say about sampling. */
interface Markers {
  /** The fields of a scheduler config that the marks set; undefined where there are none. */
  readonly schedulerConfig?: { prediction_type: 'v_prediction'; rescale_betas_zero_snr: boolean };
  readonly notes: readonly string[];
}

/**
 * Reads the marks of an SDXL single file: such a file has no scheduler config, and a v-prediction model sampled as an
 * epsilon one gives noise.
 *
 * Source: the tensor names `v_pred`, `ztsnr`, `edm_*` as ComfyUI's model detection looks for them.
 */
function readMarkers(names: ReadonlySet<string>): Markers {
  const edm = [...names].find((name) => /^edm_(?:mean|std|vpred\.sigma_(?:max|min))$/.test(name));
  if (edm)
    return { notes: [`is marked "${edm}": it was trained with EDM noise levels, which the samplers do not have`] };
  if (!names.has('v_pred')) return { notes: [] };
  const rescale = names.has('ztsnr');
  return {
    schedulerConfig: { prediction_type: 'v_prediction', rescale_betas_zero_snr: rescale },
    notes: [`is marked as a v-prediction model${rescale ? ' with zero terminal SNR' : ''}`],
  };
}

function refuseOther(path: string, names: readonly string[], { what: wanted, cure }: CheckpointKind): never {
  const what = looksLike(names);
  const problem = `holds no ${wanted} among its ${names.length} tensors${what ? `: it looks like ${what}` : ''}`;
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
  return { config: await readJsonIfThere(configPath), schedulerConfig, notes: [] };
}

async function describe(
  path: string,
  located: Located,
  shards: Shards,
  kind: CheckpointKind,
  isPart: boolean,
): Promise<Checkpoint> {
  const names = new Set(shards.fileOf.keys());
  const spelling = kind.spelling([...names]) ?? refuseOther(path, [...names], kind);
  const { tensors, bytes, others } = pickSources(shards, spelling.prefix);
  // A config beside a file of several models need not be that of this one.
  const isAlone = spelling.layout === 'diffusers' && spelling.prefix === '';
  const { notes, ...beside } = isAlone ? await jsonBeside(located) : readMarkers(names);
  return {
    path,
    ...spelling,
    tensors,
    ...beside,
    otherTensors: others,
    bytes,
    notes: [...notesOf(located, others, isPart), ...notes],
    close: () => closeAll(shards),
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
  return [...shards.fileOf.keys()];
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
