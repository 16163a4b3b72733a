import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { FusedRows, Product } from '../../converters/lora/fused-rows.ts';
import { FusePool } from '../../converters/lora/kernel/fuse-pool.ts';
import { Scratch, type TensorSource, type WeightEntry, weightEntry } from '../../converters/weights/index.ts';
import { writeWeights } from '../../converters/weights/writer.ts';
import { pseudoRandom } from '../support/numbers.ts';
import { temporaryFolder } from '../support/temporary.ts';

const test = suite('fused weights, streamed');

const RANK = 32;

/** A float32 tensor in memory. */
function source(name: string, shape: readonly number[], seed: number): TensorSource {
  const values = pseudoRandom(
    shape.reduce((product, size) => product * size, 1),
    seed,
  );
  const bytes = new Uint8Array(values.slice().buffer);
  const readRange = async (begin: number, end: number, into: Uint8Array = new Uint8Array(end - begin)) => {
    into.set(bytes.subarray(begin, end));
    return into.subarray(0, end - begin);
  };
  return {
    name,
    dtype: 'F32',
    shape,
    file: 'm.safetensors',
    readRange,
    read: (into) => readRange(0, bytes.length, into),
  };
}

/** Shapes of weights that threads compute and of such that are computed here, with weights without LoRA between them. */
const SHAPES: ReadonlyArray<readonly [rows: number, columns: number, isFused: boolean]> = [
  [256, 640, true],
  [640, 256, true],
  [64, 32, true],
  [300, 500, false],
  [512, 320, true],
  [16, 16, true],
  [1280, 320, true],
  [320, 1280, true],
  [200, 100, false],
  [640, 640, true],
];

/** A weight that is stored as a matrix of halves, transposed as those of a model are, or as it is. */
function entryOf(index: number, pool: FusePool): WeightEntry {
  const [rows, columns, isFused] = SHAPES[index] ?? [1, 1, false];
  const base = source(`w${index}`, [rows, columns], index);
  const recipe = { dtype: 'float16', layout: index % 3 === 1 ? 'as-is' : 'matrix' } as const;
  if (!isFused) return weightEntry(base.name, base, recipe);
  const [down, up] = [source('down', [RANK, columns], 20 + index), source('up', [rows, RANK], 40 + index)];
  const product = new Product([{ down, up, rank: RANK, factor: 0.5 }], columns);
  const fused = new FusedRows(base, 'float16', columns, product, pool);
  const readRange = (begin: number, end: number) => fused.readRange(begin, end);
  const read = () => readRange(0, 2 * rows * columns);
  const prefetch = (begin: number, end: number) => fused.prefetch(begin, end);
  return weightEntry(base.name, { ...base, dtype: 'F16', read, readRange, prefetch }, recipe);
}

test('what is computed ahead in memory that takes turns is what is computed alone', async () => {
  const alone: Uint8Array[] = [];
  for (const index of SHAPES.keys()) {
    const pool = new FusePool(1);
    alone.push((await entryOf(index, pool).produce(new Scratch())).slice());
    await pool.close();
  }
  const [dir, pool] = [temporaryFolder(), new FusePool(2)];
  try {
    const entries = [...SHAPES.keys()].map((index) => entryOf(index, pool));
    const [group] = await writeWeights(dir, entries);
    const written = readFileSync(join(dir, group?.paths[0] ?? ''));
    let at = 0;
    for (const [index, bytes] of alone.entries()) {
      const part = written.subarray(at, at + bytes.length);
      assert.ok(part.equals(bytes), `weight ${index} of ${SHAPES[index]}`);
      at += bytes.length;
    }
    assert.is(at, written.length);
  } finally {
    await pool.close();
  }
});

test.run();
