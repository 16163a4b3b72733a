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
import { matchLora, WeightIndex } from './match.ts';
import { type LoraFile, type LoraModule, type LoraOption, openLora } from './open.ts';

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

/** A UNet's tensors with LoRAs in them. Nothing is computed before a tensor is read. */
export interface FusedTensors {
  readonly found: NamedTensors;
  readonly records: readonly LoraRecord[];
  /** One of them was distilled for the LCM sampler. */
  readonly isLcm: boolean;
  readonly notes: readonly string[];
  close(): Promise<void>;
}

export interface FuseOptions {
  /** How the weights will be stored: the sum is rounded to that, once. */
  readonly dtype: DtypeChoice;
  /** Leave out what the UNet does not have. */
  readonly partial: boolean;
  /** The checkpoint, for messages. */
  readonly place: string;
}

/**
 * Puts LoRAs into a UNet's tensors: each weight that one of them changes becomes `W + sum of scale * alpha / rank *
 * up * down` when it is read.
 *
 * @throws SlothfulError whatever opening and matching the LoRAs throws
 */
export async function fuseLoras(
  found: NamedTensors,
  options: readonly LoraOption[],
  { dtype, partial, place }: FuseOptions,
): Promise<FusedTensors> {
  const loras: LoraFile[] = [];
  const pool = new FusePool();
  const close = async () => {
    await Promise.all([pool.close(), ...loras.map((lora) => lora.close())]);
  };
  try {
    for (const option of options) loras.push(await openLora(option));
    const index = new WeightIndex(found.tensors, place);
    const matches = loras.map((lora) => ({ lora, ...matchLora(lora, index, partial) }));
    const tensors = new Map(found.tensors);
    for (const [name, base] of found.tensors) {
      const terms = matches.flatMap(({ modules }) => modules.get(name) ?? []);
      if (terms.length) tensors.set(name, fusedSource(base, terms, storedDtype(dtype, base), pool));
    }
    const records = matches.map(({ lora, modules }) => recordOf(lora, [...modules.values()]));
    const notes = matches.flatMap(({ lora, modules, unmatched }) => notesOf(lora, modules.size, unmatched.length));
    return { found: { ...found, tensors }, records, isLcm: loras.some(({ isLcm }) => isLcm), notes, close };
  } catch (error) {
    await close();
    throw error;
  }
}

function recordOf({ path, scale }: LoraFile, modules: readonly LoraModule[]): LoraRecord {
  const rank = modules.reduce((most, module) => Math.max(most, module.rank), 0);
  return { file: basename(path), scale, modules: modules.length, rank };
}

function notesOf({ path, scale, textTensors }: LoraFile, modules: number, unmatched: number): string[] {
  const file = basename(path);
  const notes = [`fused ${file} into ${modules} weights at scale ${scale}`];
  if (textTensors) notes.push(`left ${textTensors} tensors of ${file} that are for text encoders`);
  if (unmatched) notes.push(`left ${unmatched} modules of ${file} that this UNet does not have`);
  return notes;
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
