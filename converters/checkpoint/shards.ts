import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { SlothfulError } from '../../src/errors.ts';
import { openSafetensors, type SafetensorsFile } from '../../src/tensors/node.ts';
import { decoded, type TensorSource, unscaled } from '../weights/index.ts';
import { readJson } from './read-json.ts';

/** Which file of an index holds which tensor. */
type WeightMap = ReadonlyMap<string, string>;

const CURE = 'download the folder again';

function fail(place: string, problem: string): never {
  throw new SlothfulError('bad-checkpoint', place, problem, CURE);
}

/** A shard lies beside its index: anything that could name another folder is refused. */
function isPlainName(file: string): boolean {
  return /^[\w.-]+\.safetensors$/.test(file) && !file.startsWith('.');
}

/**
 * Validates a `*.safetensors.index.json`: a `weight_map` from tensor names to files beside it.
 *
 * @throws SlothfulError `bad-checkpoint`, naming the entry
 */
export function parseIndex(value: unknown, place: string): WeightMap {
  const object = typeof value === 'object' && value !== null ? value : {};
  const map: unknown = 'weight_map' in object ? object.weight_map : undefined;
  if (typeof map !== 'object' || map === null || Array.isArray(map)) return fail(place, 'has no "weight_map" object');
  const files = new Map<string, string>();
  for (const [name, file] of Object.entries(map)) {
    if (typeof file !== 'string' || !isPlainName(file)) {
      return fail(place, `maps "${name}" to ${JSON.stringify(file)}, which is not a .safetensors file beside it`);
    }
    files.set(name, file);
  }
  if (files.size === 0) fail(place, 'has an empty "weight_map"');
  return files;
}

function checkShards(map: WeightMap, folder: string, place: string): string[] {
  const files = [...new Set(map.values())].sort();
  const missing = files.filter((file) => !existsSync(join(folder, file)));
  if (missing.length) fail(place, `names ${files.length} shards, and these are missing: ${missing.join(', ')}`);
  return files;
}

function checkTensors(map: WeightMap, opened: ReadonlyMap<string, SafetensorsFile>, place: string): void {
  for (const [name, file] of map) {
    if (!opened.get(file)?.tensors.has(name)) fail(place, `maps "${name}" to ${file}, which does not hold it`);
  }
}

/** The files of a sharded checkpoint, and the file of each tensor. */
export interface Shards {
  readonly files: readonly SafetensorsFile[];
  readonly fileOf: ReadonlyMap<string, SafetensorsFile>;
  /** What a tensor is called in its file, where that is not its name here. */
  readonly storedAs?: ReadonlyMap<string, string>;
}

/**
 * Opens all shards of an index and checks that each holds what the index says.
 *
 * @throws SlothfulError `bad-checkpoint` or `io`, naming shard and tensor
 */
export async function openShards(indexPath: string): Promise<Shards> {
  const map = parseIndex(await readJson(indexPath), indexPath);
  const folder = dirname(indexPath);
  const opened = new Map<string, SafetensorsFile>();
  try {
    for (const file of checkShards(map, folder, indexPath)) {
      opened.set(file, await openSafetensors(join(folder, file)));
    }
    checkTensors(map, opened, indexPath);
  } catch (error) {
    await Promise.all([...opened.values()].map((file) => file.close()));
    throw error;
  }
  const fileOf = new Map<string, SafetensorsFile>();
  for (const [name, file] of map) {
    const shard = opened.get(file);
    if (shard) fileOf.set(name, shard);
  }
  return { files: [...opened.values()], fileOf };
}

/** One file as the only shard. */
export async function openSingle(path: string): Promise<Shards> {
  const file = await openSafetensors(path);
  return { files: [file], fileOf: new Map([...file.tensors.keys()].map((name) => [name, file])) };
}

/** The tensors under a prefix, without it, and what was left. */
export interface Sources {
  readonly tensors: ReadonlyMap<string, TensorSource>;
  /** Bytes of these tensors. */
  readonly bytes: number;
  /** How many tensors of the files are not among them. */
  readonly others: number;
}

/**
 * Picks the tensors under a prefix from open files: narrow floats decoded, and with their scales where they have such.
 *
 * @param marks names that are no weights of any model, and neither picked nor counted
 */
export function pickSources(
  { files, fileOf, storedAs }: Shards,
  prefix: string,
  marks: ReadonlySet<string> = new Set(),
): Sources {
  const tensors = new Map<string, TensorSource>();
  let bytes = 0;
  let marked = 0;
  for (const [name, file] of fileOf) {
    const stored = storedAs?.get(name) ?? name;
    const info = file.tensors.get(stored);
    if (info && marks.has(name)) marked++;
    else if (info && name.startsWith(prefix)) {
      bytes += info.end - info.begin;
      const source: TensorSource = {
        name: stored,
        dtype: info.dtype,
        shape: info.shape,
        file: file.path,
        read: (into) => file.read(stored, into),
        readRange: (begin, end, into) => file.readRange(stored, begin, end, into),
      };
      tensors.set(name.slice(prefix.length), decoded(source));
    }
  }
  const stored = files.reduce((sum, file) => sum + file.tensors.size, 0);
  return { tensors: unscaled(tensors), bytes, others: stored - marked - tensors.size };
}
