import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { WeightEntry } from '../../converters/weights/index.ts';
import { planShards, writeWeights } from '../../converters/weights/writer.ts';
import { SlothfulError } from '../../src/errors.ts';
import { rejection, temporaryFolder } from './support.ts';

const test = suite('weights: writer');
const root = temporaryFolder();

function folder(name: string): string {
  const path = join(root, name);
  mkdirSync(path);
  return path;
}

/** An int32 weight of `values` times its number, made in the scratch that the writer lends. */
function entry(number: number, values: number): WeightEntry {
  return {
    spec: { name: `w${number}`, shape: [values], dtype: 'int32' },
    async produce(scratch) {
      const made = new Int32Array(scratch.take('output', 4 * values), 0, values);
      made.fill(-1);
      await sleep(number % 3);
      return new Uint8Array(made.fill(number).buffer, 0, 4 * values);
    },
  };
}

const bytesOf = (dir: string, name: string) => new Int32Array(Uint8Array.from(readFileSync(join(dir, name))).buffer);

test('cuts shards without splitting a weight', () => {
  const sizes = (shardBytes: number, values: readonly number[]) =>
    planShards(
      values.map((size, i) => entry(i, size)),
      shardBytes,
    ).map((shard) => shard.map(({ spec }) => spec.shape[0]));
  assert.equal(sizes(40, [5, 5, 5]), [[5, 5], [5]]);
  assert.equal(sizes(40, [3, 11, 3, 3]), [[3], [11], [3, 3]]);
  assert.equal(sizes(40, [11, 12]), [[11], [12]]);
  assert.equal(sizes(1, [1, 0, 1]), [[1], [0], [1]]);
  assert.equal(sizes(40, []), []);
});

test('writes every weight where the manifest says, and tells how far it is', async () => {
  const dir = folder('plain');
  const entries = Array.from({ length: 40 }, (_, i) => entry(i, (i * 7) % 23));
  const seen: number[] = [];
  const groups = await writeWeights(dir, entries, {
    shardBytes: 200,
    onProgress: ({ done, total }) => seen.push(done / total),
  });
  assert.equal(
    readdirSync(dir).sort(),
    groups.flatMap(({ paths }) => paths),
  );
  assert.is(groups[0]?.paths[0], 'weights-00001.bin');
  assert.equal(
    groups.flatMap(({ weights }) => weights.map(({ name }) => name)),
    entries.map(({ spec }) => spec.name),
  );
  for (const { paths, weights } of groups) {
    const values = bytesOf(dir, paths[0] ?? '');
    const wanted = weights.flatMap(({ name, shape }) => Array(shape[0]).fill(Number(name.slice(1))));
    assert.equal(Array.from(values), wanted);
  }
  assert.is(seen.length, 40);
  assert.is(seen.at(-1), 1);
  assert.ok(seen.every((share, i) => i === 0 || share >= (seen[i - 1] ?? 0)));
});

test('lends two scratches in turn, so at most two weights are in memory', async () => {
  const scratches = new Set<unknown>();
  const entries = Array.from(
    { length: 9 },
    (_, i): WeightEntry => ({
      ...entry(i, 4),
      produce: async (scratch) => {
        scratches.add(scratch);
        return entry(i, 4).produce(scratch);
      },
    }),
  );
  await writeWeights(folder('two'), entries, { shardBytes: 48 });
  assert.is(scratches.size, 2);
});

test('what takes long is started one entry ahead, in order, and never further', async () => {
  const log: string[] = [];
  const entries = Array.from({ length: 4 }, (_, i): WeightEntry => {
    const { spec, produce } = entry(i, 4);
    const made = (scratch: Parameters<typeof produce>[0]) => {
      log.push(`make ${i}`);
      return produce(scratch);
    };
    return { spec, produce: made, prefetch: () => log.push(`start ${i}`) };
  });
  await writeWeights(folder('ahead'), entries, { shardBytes: 40 });
  const order = ['start 0', 'start 1', 'make 0', 'start 2', 'make 1', 'start 3', 'make 2', 'make 3'];
  assert.equal(log, order);
});

test('a failure keeps its message and ends the writing', async () => {
  const dir = folder('fails');
  let asked = 0;
  const entries = Array.from(
    { length: 5 },
    (_, i): WeightEntry => ({
      ...entry(i, 4),
      produce: async (scratch) => {
        asked++;
        if (i === 2) throw new SlothfulError('bad-checkpoint', 'm', 'ends early');
        return entry(i, 4).produce(scratch);
      },
    }),
  );
  assert.is((await rejection(writeWeights(dir, entries))).message, 'm: ends early');
  assert.is(asked, 3);
});

test('refuses what would make a broken model', async () => {
  const short = { ...entry(0, 4), produce: async () => new Uint8Array(15) };
  assert.match((await rejection(writeWeights(folder('short'), [short]))).message, /made 15 bytes for 16, shape \[4\]/);
  assert.match((await rejection(writeWeights(folder('twice'), [entry(1, 1), entry(1, 1)]))).message, /"w1".*twice/);
  assert.is((await rejection(writeWeights(folder('zero'), [], { shardBytes: 0 }))).code, 'bad-parameter');
  assert.is((await rejection(writeWeights(join(root, 'none'), [entry(1, 1)]))).code, 'io');
  const taken = folder('taken');
  writeFileSync(join(taken, 'weights-00001.bin'), 'mine');
  assert.match(
    (await rejection(writeWeights(taken, [entry(1, 1)]))).message,
    /weights-00001.bin: cannot be written \(EEXIST/,
  );
  assert.is(readFileSync(join(taken, 'weights-00001.bin'), 'utf8'), 'mine');
});

test.run();
