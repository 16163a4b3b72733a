import { basename } from 'node:path';
import {
  type DtypeChoice,
  type NamedTensors,
  type StoredDtype,
  storedDtype,
  type TensorSource,
} from '../weights/index.ts';
import type { LoraChange } from './changes.ts';
import { ComputedRows } from './computed-rows.ts';
import { isPlain } from './fit.ts';
import { FusedRows, Product } from './fused-rows.ts';
import { FusePool } from './kernel/fuse-pool.ts';
import { type LoraMatch, matchLora, TextWeightIndex, WeightIndex } from './match.ts';
import { columnsOf, transposed } from './matrices.ts';
import { type LoraFile, type LoraOption, openLora } from './open.ts';
import { type LoraPart, titleOf } from './parts.ts';

/** What the metadata of a model say of a LoRA that is in it. */
export interface LoraRecord {
  /** Name of the file, without its folder. */
  readonly file: string;
  readonly scale: number;
  /** How many weights it changed. */
  readonly modules: number;
  /** Its largest rank; 0 where it has differences alone. */
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
 * Puts LoRAs into the tensors of a UNet, or of a text encoder by transformers' names: each tensor that one of them changes
 * becomes `W + sum of scale * alpha / rank * up * down`, or what LoHa, LoKr, DoRA and differences make of it, when it is
 * read.
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
  const pools = new Pools();
  const close = async () => {
    await Promise.all([pools.close(), ...loras.map((lora) => lora.close())]);
  };
  try {
    for (const option of options) loras.push(await openLora(option, { part, together, partial }));
    const matches = matchAll(loras, found, how);
    const changed = matches.filter(({ changes }) => changes.size > 0);
    return {
      found: { ...found, tensors: fusedTensors(found.tensors, changed, how, pools) },
      records: changed.map(({ lora, changes }) => recordOf(lora, [...changes.values()])),
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

/** Memory and threads: for what the kernel does alone, which lends its results, and for what is computed of them. */
class Pools {
  readonly plain = new FusePool();
  #computed: FusePool | undefined;

  get computed(): FusePool {
    this.#computed ??= new FusePool();
    return this.#computed;
  }

  async close(): Promise<void> {
    await Promise.all([this.plain.close(), this.#computed?.close()]);
  }
}

function fusedTensors(
  all: NamedTensors['tensors'],
  matches: readonly Match[],
  { dtype, turned = [] }: FuseOptions,
  pools: Pools,
): Map<string, TensorSource> {
  const tensors = new Map(all);
  for (const [name, base] of all) {
    const changes = matches.flatMap((match) => match.changes.get(name) ?? []);
    if (!changes.length) continue;
    const to = storedDtype(dtype, base);
    const fused = (source: TensorSource) => fusedSource(source, changes, to, pools);
    tensors.set(name, turned.includes(name) ? transposed(fused(transposed(base))) : fused(base));
  }
  return tensors;
}

function recordOf({ path, scale }: LoraFile, changes: readonly (readonly LoraChange[])[]): LoraRecord {
  const rank = changes.flat().reduce((most, change) => Math.max(most, change.rank), 0);
  return { file: basename(path), scale, modules: changes.length, rank };
}

function notesOf({ lora, changes, unmatched }: Match, part: LoraPart): string[] {
  const file = basename(lora.path);
  const where = part === 'unet' ? '' : ` of ${titleOf(part)}`;
  const fused = changes.size ? [`fused ${file} into ${changes.size} weights${where} at scale ${lora.scale}`] : [];
  const left = unmatched.length
    ? [`left ${unmatched.length} modules of ${file} that ${titleOf(part)} does not have`]
    : [];
  return [...fused, ...lora.notes, ...left];
}

/** A tensor that is `base` with changes in it, in the dtype in which it will be stored. */
function fusedSource(base: TensorSource, changes: readonly LoraChange[], to: StoredDtype, pools: Pools): TensorSource {
  const [outputs = 1] = base.shape;
  const columns = columnsOf(base);
  const dtype = to === 'float32' ? 'F32' : 'F16';
  if (!changes.every(isPlain)) {
    const rows = new ComputedRows(base, to, changes, pools.computed);
    const readRange = (begin: number, end: number) => rows.readRange(begin, end);
    const { prefetch: _, ...source } = base;
    return { ...source, dtype, readRange, read: () => readRange(0, outputs * rows.outBytes) };
  }
  const terms = changes.map(({ delta, scale, factor }) => ({ ...delta, factor: scale * factor }));
  const rows = new FusedRows(base, to, columns, new Product(terms, columns), pools.plain);
  return {
    ...base,
    dtype,
    read: () => rows.readRange(0, outputs * rows.outBytes),
    readRange: (begin, end) => rows.readRange(begin, end),
    prefetch: (begin, end) => rows.prefetch(begin, end),
  };
}
