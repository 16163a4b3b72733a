import { basename } from 'node:path';
import {
  type DtypeChoice,
  type NamedTensors,
  type StoredDtype,
  storedDtype,
  type TensorSource,
} from '../weights/index.ts';
import { FusedRows, Product } from './fused-rows.ts';
import { FusePool } from './kernel/fuse-pool.ts';
import { type LoraMatch, matchLora, TextWeightIndex, WeightIndex } from './match.ts';
import { type LoraFile, type LoraModule, type LoraOption, openLora } from './open.ts';
import { type LoraPart, titleOf } from './parts.ts';

/** What the metadata of a model say of a LoRA that is in it. */
export interface LoraRecord {
  /** Name of the file, without its folder. */
  readonly file: string;
  readonly scale: number;
  /** How many weights it changed. */
  readonly modules: number;
  /** Its largest rank. */
  readonly rank: number;
}

/** A model's tensors with LoRAs in them. Nothing is computed before a tensor is read. */
export interface FusedTensors {
  readonly found: NamedTensors;
  /** Of the LoRAs that changed something. */
  readonly records: readonly LoraRecord[];
  /** One of them was distilled for the LCM sampler. */
  readonly isLcm: boolean;
  readonly notes: readonly string[];
  close(): Promise<void>;
}

export interface FuseOptions {
  /** How the weights will be stored: the sum is rounded to that, once. */
  readonly dtype: DtypeChoice;
  /** Leave out what the model does not have. */
  readonly partial: boolean;
  /** The checkpoint, for messages. */
  readonly place: string;
  /** What the tensors are of; a UNet where nothing is said. */
  readonly part?: LoraPart;
  /** All parts of a pipeline that are converted; only this one where nothing is said. */
  readonly together?: readonly LoraPart[] | undefined;
  /** Weights of linear layers that are stored [inputs, outputs]. */
  readonly turned?: readonly string[];
}

/**
 * Puts LoRAs into the tensors of a UNet, or of a text encoder by transformers' names: each weight that one of them changes becomes `W + sum of scale * alpha / rank *
 * up * down` when it is read.
 *
 * @throws SlothfulError whatever opening and matching the LoRAs throws
 */
export async function fuseLoras(
  found: NamedTensors,
  options: readonly LoraOption[],
  how: FuseOptions,
): Promise<FusedTensors> {
  const { part = 'unet', together, partial } = how;
  const loras: LoraFile[] = [];
  const pool = new FusePool();
  const close = async () => {
    await Promise.all([pool.close(), ...loras.map((lora) => lora.close())]);
  };
  try {
    for (const option of options) loras.push(await openLora(option, { part, together, partial }));
    const matches = matchAll(loras, found, how);
    const changed = matches.filter(({ modules }) => modules.size > 0);
    return {
      found: { ...found, tensors: fusedTensors(found.tensors, changed, how.dtype, pool) },
      records: changed.map(({ lora, modules }) => recordOf(lora, [...modules.values()])),
      isLcm: changed.some(({ lora }) => lora.isLcm),
      notes: matches.flatMap((match) => notesOf(match, part)),
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

interface Match extends LoraMatch {
  readonly lora: LoraFile;
}

function matchAll(loras: readonly LoraFile[], { tensors }: NamedTensors, how: FuseOptions): Match[] {
  const { part = 'unet', partial, place, turned = [] } = how;
  const index = part === 'unet' ? new WeightIndex(tensors, place) : new TextWeightIndex(part, tensors, turned);
  return loras.map((lora) => ({ lora, ...matchLora(lora, index, partial) }));
}

function fusedTensors(
  all: NamedTensors['tensors'],
  matches: readonly Match[],
  dtype: DtypeChoice,
  pool: FusePool,
): Map<string, TensorSource> {
  const tensors = new Map(all);
  for (const [name, base] of all) {
    const terms = matches.flatMap(({ modules }) => modules.get(name) ?? []);
    if (terms.length) tensors.set(name, fusedSource(base, terms, storedDtype(dtype, base), pool));
  }
  return tensors;
}

function recordOf({ path, scale }: LoraFile, modules: readonly LoraModule[]): LoraRecord {
  const rank = modules.reduce((most, module) => Math.max(most, module.rank), 0);
  return { file: basename(path), scale, modules: modules.length, rank };
}

function notesOf({ lora, modules, unmatched }: Match, part: LoraPart): string[] {
  const file = basename(lora.path);
  const where = part === 'unet' ? '' : ` of ${titleOf(part)}`;
  const fused = modules.size ? [`fused ${file} into ${modules.size} weights${where} at scale ${lora.scale}`] : [];
  const left = unmatched.length
    ? [`left ${unmatched.length} modules of ${file} that ${titleOf(part)} does not have`]
    : [];
  return [...fused, ...lora.notes, ...left];
}

/** A tensor that is `base` with the terms added, in the dtype in which it will be stored. */
function fusedSource(base: TensorSource, terms: readonly LoraModule[], to: StoredDtype, pool: FusePool): TensorSource {
  const [outputs = 1, ...inner] = base.shape;
  const columns = inner.reduce((product, size) => product * size, 1);
  const rows = new FusedRows(base, to, columns, new Product(terms, columns), pool);
  return {
    ...base,
    dtype: to === 'float32' ? 'F32' : 'F16',
    read: () => rows.readRange(0, outputs * rows.outBytes),
    readRange: (begin, end) => rows.readRange(begin, end),
    prefetch: (begin, end) => rows.prefetch(begin, end),
  };
}
