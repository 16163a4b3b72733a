import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { FusePool } from '../../converters/lora/kernel/fuse-pool.ts';
import { type FuseTask, packDown, packUp } from '../../converters/lora/kernel/layout.ts';
import type { StoredDtype } from '../../converters/weights/index.ts';
import type { FloatDtype } from '../../src/tensors/index.ts';
import { floatOf, halfOf } from '../../src/tensors/index.ts';
import { failsWith } from '../support/errors.ts';
import { pseudoRandom } from '../support/numbers.ts';

const test = suite('low-rank products in WebAssembly');

const bits = new DataView(new ArrayBuffer(4));
function floatFromBits(value: number): number {
  bits.setInt32(0, value);
  return bits.getFloat32(0);
}
function bitsOfFloat(value: number): number {
  bits.setFloat32(0, value);
  return bits.getInt32(0);
}

/** Values as a checkpoint stores them, and what is stored. */
function store(values: Float32Array, dtype: FloatDtype): { bytes: Uint8Array<ArrayBuffer>; values: Float32Array } {
  if (dtype === 'F32') return { bytes: new Uint8Array(values.slice().buffer), values };
  const shorts = Uint16Array.from(values, (value) => {
    return dtype === 'F16' ? halfOf(bitsOfFloat(value)) : bitsOfFloat(value) >>> 16;
  });
  const stored = Float32Array.from(shorts, (short) => floatFromBits(dtype === 'F16' ? floatOf(short) : short << 16));
  return { bytes: new Uint8Array(shorts.buffer), values: stored };
}

interface Size {
  rows: number;
  columns: number;
  rank: number;
}

/** A task and its data. */
interface FuseJob extends FuseTask {
  readonly base: Uint8Array;
  /** [rows, rank] */
  readonly up: Float32Array;
  /** [rank, columns] */
  readonly down: Float32Array;
}

/** Fuses a job on a pool of its own, or on one that is given. */
async function fuse({ base, up, down, ...task }: FuseJob, given?: FusePool): Promise<Uint8Array> {
  const pool = given ?? new FusePool(1);
  const ranks = { before: 0, own: task.rank, all: task.rank };
  const bytes = await pool.fuse(task, async (room) => {
    room.base.set(base);
    packDown(down, room.panels, task.columns, ranks);
    packUp(up, room.tiles, 1, ranks);
  });
  const own = bytes.slice();
  if (!given) await pool.close();
  return own;
}

function makeJob({ rows, columns, rank }: Size, from: FloatDtype, to: StoredDtype) {
  const base = store(pseudoRandom(rows * columns, 1), from);
  const up = pseudoRandom(rows * rank, 2);
  const down = pseudoRandom(rank * columns, 3);
  const task = { from, to, rows, columns, rank, place: 'a.safetensors tensor "w"' };
  const job: FuseJob = { ...task, base: base.bytes, up, down };
  return { job, expected: () => plainSum(base.values, up, down, { rows, columns, rank }) };
}

/** By the definition, in doubles. */
function plainSum(base: Float32Array, up: Float32Array, down: Float32Array, { rows, columns, rank }: Size) {
  return Float64Array.from({ length: rows * columns }, (_, index) => {
    const [row, column] = [Math.floor(index / columns), index % columns];
    let sum = base[index] ?? 0;
    for (let k = 0; k < rank; k++) sum += (up[row * rank + k] ?? 0) * (down[k * columns + column] ?? 0);
    return sum;
  });
}

function valuesOf(bytes: Uint8Array, to: StoredDtype): number[] {
  const own = bytes.slice().buffer;
  if (to === 'float32') return [...new Float32Array(own)];
  return Array.from(new Uint16Array(own), (half) => floatFromBits(floatOf(half)));
}

/** The largest difference, in halves of a half's last place, or in what 64 additions in float32 may lose. */
function largestError(actual: readonly number[], expected: Float64Array, to: StoredDtype): number {
  assert.is(actual.length, expected.length);
  const unit = to === 'float32' ? 2 ** -20 : 2 ** -11;
  return actual.reduce((most, value, index) => {
    const wanted = expected[index] ?? Number.NaN;
    const error = Math.abs(value - wanted) / unit / Math.max(1, Math.abs(wanted));
    return error <= most ? most : error;
  }, 0);
}

const SIZES: readonly Size[] = [
  { rows: 4, columns: 8, rank: 1 },
  { rows: 1, columns: 1, rank: 1 },
  { rows: 7, columns: 13, rank: 3 },
  { rows: 9, columns: 40, rank: 64 },
  { rows: 64, columns: 27, rank: 16 },
];

for (const from of ['F16', 'BF16', 'F32'] as const) {
  for (const to of ['float16', 'float32'] as const) {
    test(`${from} to ${to}, of every size, is the sum rounded once`, async () => {
      const pool = new FusePool(1);
      for (const size of SIZES) {
        const { job, expected } = makeJob(size, from, to);
        const error = largestError(valuesOf(await fuse(job, pool), to), expected(), to);
        assert.ok(error <= 1, `${JSON.stringify(size)}: off by ${error} units`);
      }
    });
  }
}

/** What comes out where nothing is added: what went in, through both conversions. */
async function converted(values: Int32Array | Uint16Array, columns: number, to: StoredDtype): Promise<Uint8Array> {
  const rows = values.length / columns;
  const from: FloatDtype = values instanceof Int32Array ? 'F32' : 'F16';
  const base = new Uint8Array(values.slice().buffer);
  const product = { rank: 1, up: new Float32Array(rows), down: new Float32Array(columns) };
  return fuse({ from, to, rows, columns, place: 'w', base, ...product });
}

test('widens every half as the conversion without LoRA does', async () => {
  const halves = Uint16Array.from({ length: 65536 }, (_, half) => half).filter((half) => (half & 0x7c00) !== 0x7c00);
  const actual = new Int32Array((await converted(halves, 1024, 'float32')).slice().buffer);
  // -0 + 0 is 0, which is the one value that adding nothing changes.
  halves.forEach((half, index) => {
    if (half !== 0x8000 && actual[index] !== floatOf(half)) assert.unreachable(`half ${half} becomes ${actual[index]}`);
  });
  assert.is(actual.length, 63488);
});

test('rounds floats to halves as the conversion without LoRA does: ties, subnormals, the last half', async () => {
  const special = [0x38800000, 0x387fe000, 0x33000000, 0x33000001, 0x33800000, 0x477fefff, 0x3f801000, 0x3f803000, 1];
  const random = Array.from(pseudoRandom(4087, 5), (value) => bitsOfFloat(value * 2 ** (Math.abs(value * 60) - 45)));
  const floats = Int32Array.from([...special, ...random]);
  const actual = new Uint16Array((await converted(floats, 1024, 'float16')).slice().buffer);
  floats.forEach((value, index) => {
    assert.is(actual[index], halfOf(value), `float bits ${value.toString(16)}`);
  });
});

test('a value above float16 is an error that names the tensor; infinities stay', async () => {
  const { job } = makeJob({ rows: 4, columns: 8, rank: 1 }, 'F32', 'float16');
  const huge = { ...job, up: new Float32Array(4).fill(1e6), down: new Float32Array(8).fill(1) };
  await failsWith('bad-checkpoint', /tensor "w": holds .*float16's 65504; use --dtype float32/, () => fuse(huge));
  const infinite = Float32Array.from([Number.POSITIVE_INFINITY, 1, -2, Number.NEGATIVE_INFINITY, 0.5, 0, 1, 1]);
  const fused = await converted(new Int32Array(infinite.slice().buffer), 8, 'float16');
  assert.equal(valuesOf(fused, 'float16'), [...infinite]);
});

for (const from of ['F16', 'BF16', 'F32'] as const) {
  for (const to of ['float16', 'float32'] as const) {
    test(`${from} to ${to}: threads give what is computed here, in even and uneven shares`, async () => {
      const pools = [1, 2, 3].map((size) => new FusePool(size));
      try {
        for (const rows of [512, 514, 7]) {
          const { job } = makeJob({ rows, columns: 10240, rank: 64 }, from, to);
          const few = { ...job, rows: 4, base: job.base.subarray(0, 4 * (job.base.length / rows)) };
          const here = await fuse({ ...few, up: job.up.subarray(0, 4 * 64) });
          const [one, ...others] = await Promise.all(pools.map((pool) => fuse(job, pool)));
          assert.equal(one?.subarray(0, here.length), here, `${rows} rows`);
          for (const other of others) assert.ok(one && Buffer.from(one).equals(other), `${rows} rows`);
        }
      } finally {
        await Promise.all(pools.map((pool) => pool.close()));
      }
    });
  }
}

test('errors of threads arrive whole, and a pool goes on after them', async () => {
  const pool = new FusePool(2);
  try {
    const { job } = makeJob({ rows: 512, columns: 640, rank: 64 }, 'F16', 'float16');
    const before = await fuse(job, pool);
    const huge = { ...job, up: new Float32Array(512 * 64).fill(1e6) };
    await failsWith('bad-checkpoint', /a\.safetensors tensor "w": holds /, () => fuse(huge, pool));
    assert.equal(await fuse(job, pool), before);
  } finally {
    await pool.close();
  }
});

test('two tasks at once do not mix: each has a memory until the next but one', async () => {
  const pool = new FusePool(2);
  try {
    const jobs = [1, 2, 3, 4].map((k) => makeJob({ rows: 256 * k, columns: 640, rank: 64 }, 'F16', 'float16').job);
    const alone: Uint8Array[] = [];
    for (const job of jobs) alone.push(await fuse(job));
    const together = await Promise.all(jobs.slice(0, 2).map((job) => fuse(job, pool)));
    const later = await Promise.all(jobs.slice(2).map((job) => fuse(job, pool)));
    assert.equal([...together, ...later], alone);
  } finally {
    await pool.close();
  }
});

test('what cannot be read is an error of that task alone', async () => {
  const pool = new FusePool(1);
  const { job } = makeJob({ rows: 8, columns: 16, rank: 2 }, 'F16', 'float16');
  const { base: _base, up: _up, down: _down, ...task } = job;
  const failing = pool.fuse(task, () => Promise.reject(new Error('the disk is gone')));
  const good = fuse(job, pool);
  await failing.then(
    () => assert.unreachable('it was read'),
    (error: unknown) => assert.match(String(error), 'the disk is gone'),
  );
  assert.equal(await good, await fuse(job));
});

test.run();
