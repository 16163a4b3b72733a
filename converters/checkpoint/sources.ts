import type { TensorSource } from '../weights/entry.ts';
import type { Shards } from './shards.ts';

/** The tensors under a prefix, without it, and what was left. */
export interface Sources {
  readonly tensors: ReadonlyMap<string, TensorSource>;
  /** Bytes of these tensors. */
  readonly bytes: number;
  /** How many tensors of the files are not among them. */
  readonly others: number;
}

/** Picks the tensors under a prefix from open files. */
export function pickSources({ files, fileOf }: Shards, prefix: string): Sources {
  const tensors = new Map<string, TensorSource>();
  let bytes = 0;
  for (const [name, file] of fileOf) {
    const info = file.tensors.get(name);
    if (!info || !name.startsWith(prefix)) continue;
    bytes += info.end - info.begin;
    tensors.set(name.slice(prefix.length), {
      name,
      dtype: info.dtype,
      shape: info.shape,
      file: file.path,
      read: (into) => file.read(name, into),
      readRange: (begin, end, into) => file.readRange(name, begin, end, into),
    });
  }
  const stored = files.reduce((sum, file) => sum + file.tensors.size, 0);
  return { tensors, bytes, others: stored - tensors.size };
}
