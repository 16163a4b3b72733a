import { closeSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { messageOf, SlothfulError } from '../../src/errors.ts';
import { storedBytes, type WeightGroup } from '../../src/graph/index.ts';
import { Scratch, type WeightEntry } from './entry.ts';

/** How weights are cut into files, and who hears of it. */
export interface ShardOptions {
  /** A weight never straddles two files, and a larger one gets its own. */
  shardBytes?: number | undefined;
  /** Told how many bytes are written, of how many. */
  onProgress?: ((progress: { done: number; total: number }) => void) | undefined;
}

/** Fits the readers that stop at 2 GiB a file, and is few files for a big model. */
export const DEFAULT_SHARD_BYTES = 256 * 1024 * 1024;

/**
 * Cuts entries into shards, in order. A weight never straddles two files, and one above `shardBytes` gets its own.
 */
export function planShards(entries: readonly WeightEntry[], shardBytes: number): WeightEntry[][] {
  const shards: WeightEntry[][] = [];
  let room = 0;
  for (const entry of entries) {
    const bytes = entryBytes(entry);
    const shard = shards.at(-1);
    if (shard && bytes <= room) {
      shard.push(entry);
      room -= bytes;
    } else {
      shards.push([entry]);
      room = shardBytes - bytes;
    }
  }
  return shards;
}

function checkUnique(entries: readonly WeightEntry[]): void {
  const names = new Set<string>();
  for (const { spec } of entries) {
    const { name } = spec;
    if (names.has(name)) throw new SlothfulError('bug', `weight "${name}"`, 'is to be written twice');
    names.add(name);
  }
}

/** Bytes of an entry in its shard, by its spec. */
function entryBytes({ spec }: WeightEntry): number {
  const bytes = storedBytes(spec);
  if (bytes !== undefined) return bytes;
  throw new SlothfulError('bug', `weight "${spec.name}"`, `is ${spec.dtype}, whose size its shape does not tell`);
}

/**
 * Bytes of one write. Linux puts larger writes into larger pages of its cache, and on virtual machines whose host takes
 * unused memory back these are expensive: 1.7 GB take 1.2 s of system time in these pieces and 6.1 s in writes of whole
 * weights.
 */
const PIECE = 512 * 1024;

/**
 * Written from this thread: a piece that another thread writes is a way there and back, which with all processors busy
 * takes longer than the writing.
 */
function writeFully(file: number, bytes: Uint8Array): void {
  let done = 0;
  while (done < bytes.byteLength) {
    done += writeSync(file, bytes, done, Math.min(PIECE, bytes.byteLength - done));
  }
}

/**
 * Produces entries one ahead of the writing, with a scratch for each of the two that are then in flight. What takes long
 * is started one entry earlier still: threads compute the next one while this one is transposed.
 */
class Producer {
  private readonly scratches = [new Scratch(), new Scratch()] as const;
  private count = 0;
  private coming: Promise<Uint8Array> | undefined;

  constructor(private readonly entries: readonly WeightEntry[]) {
    entries[0]?.prefetch?.();
    this.start();
  }

  /** The bytes of the next entry; valid until they are asked for again. The one behind it is being read when it returns. */
  async next(): Promise<Uint8Array> {
    const bytes = await this.coming;
    if (!bytes) throw new SlothfulError('bug', 'weights', `there is no number ${this.count}`);
    this.start();
    return bytes;
  }

  /** Waits until nothing is read any more, well or not. */
  async settle(): Promise<void> {
    await this.coming?.catch(() => undefined);
  }

  private start(): void {
    const entry = this.entries[this.count];
    this.coming = entry && this.produce(entry);
    // A failure is thrown by the next call, if there is one.
    this.coming?.catch(() => undefined);
  }

  private async produce(entry: WeightEntry): Promise<Uint8Array> {
    this.entries[this.count + 1]?.prefetch?.();
    const scratch = this.scratches[this.count++ % 2 === 0 ? 0 : 1];
    const bytes = await entry.produce(scratch);
    if (bytes.byteLength === entryBytes(entry)) return bytes;
    const problem = `made ${bytes.byteLength} bytes for ${entryBytes(entry)}, shape [${entry.spec.shape.join(', ')}]`;
    throw new SlothfulError('bug', `weight "${entry.spec.name}"`, problem);
  }
}

async function writeShard(
  path: string,
  shard: readonly WeightEntry[],
  producer: Producer,
  onBytes: (bytes: number) => void,
): Promise<void> {
  const file = openSync(path, 'wx');
  try {
    for (let written = 0; written < shard.length; written++) {
      const bytes = await producer.next();
      writeFully(file, bytes);
      onBytes(bytes.byteLength);
    }
  } finally {
    closeSync(file);
  }
}

/**
 * Streams weights into shards `weights-00001.bin`, ... of a folder: each a group of the manifest, at most two tensors in
 * memory at a time. The next one is read while the one before is written.
 *
 * Weights follow each other without padding: TF.js copies each out of the shard before it looks at its values.
 *
 * @param dir an existing folder; the caller makes it under a temporary name and renames it when all is written
 * @throws SlothfulError `io` where a shard cannot be written; whatever `produce` throws
 */
export async function writeWeights(
  dir: string,
  entries: readonly WeightEntry[],
  { shardBytes = DEFAULT_SHARD_BYTES, onProgress }: ShardOptions = {},
): Promise<WeightGroup[]> {
  if (!(Number.isSafeInteger(shardBytes) && shardBytes > 0)) {
    throw new SlothfulError('bad-parameter', 'shardBytes', `${shardBytes} is not a positive whole number of bytes`);
  }
  checkUnique(entries);
  const total = entries.reduce((sum, entry) => sum + entryBytes(entry), 0);
  let done = 0;
  const onBytes = (bytes: number) => {
    done += bytes;
    onProgress?.({ done, total });
  };
  const producer = new Producer(entries);
  try {
    return await writeShards(dir, planShards(entries, shardBytes), producer, onBytes);
  } finally {
    await producer.settle();
  }
}

async function writeShards(
  dir: string,
  shards: readonly (readonly WeightEntry[])[],
  producer: Producer,
  onBytes: (bytes: number) => void,
): Promise<WeightGroup[]> {
  const groups: WeightGroup[] = [];
  for (const shard of shards) {
    const name = `weights-${String(groups.length + 1).padStart(5, '0')}.bin`;
    const path = join(dir, name);
    await writeShard(path, shard, producer, onBytes).catch((error: unknown) => {
      if (error instanceof SlothfulError) throw error;
      const cure = 'check the folder and the space on its disk';
      throw new SlothfulError('io', path, `cannot be written (${messageOf(error)})`, cure, { cause: error });
    });
    groups.push({ paths: [name], weights: shard.map(({ spec }) => spec) });
  }
  return groups;
}
