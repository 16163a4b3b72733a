import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { convTurn, matrixTurn, type Turn, transpose } from '../../converters/weights/transpose.ts';
import type { Bits } from '../../src/tensors/index.ts';

const test = suite('weights: transposition');

/** What is around the result, and has to stay as it is. */
const GUARD = 0xdead;

/** Different bits for every value, also in the upper half of a word. */
function numbered(kind: typeof Uint16Array | typeof Uint32Array, length: number, before: number): Bits {
  const all = new kind(length + before);
  for (let i = 0; i < length; i++) all[i + before] = kind === Uint16Array ? (i * 40503 + 1) & 0xffff : i * 2654435761;
  return all.subarray(before);
}

/** Into the middle of memory that has other values around it. */
function turnedIn(from: Bits, turn: Turn, before: number): { turned: number[]; around: number[] } {
  const all = from instanceof Uint16Array ? new Uint16Array(from.length + before + 3) : undefined;
  const memory = all ?? new Uint32Array(from.length + before + 3);
  memory.fill(GUARD);
  transpose(from, memory.subarray(before, before + from.length), turn);
  const turned = Array.from(memory.subarray(before, before + from.length));
  return { turned, around: [...memory.subarray(0, before), ...memory.subarray(before + from.length)] };
}

/** Sizes below, at and above the tiles, even and odd: 16-bit values of even sizes go two by two. */
const SIZES: readonly (readonly [rows: number, columns: number])[] = [
  [1, 1],
  [1, 2],
  [2, 1],
  [2, 2],
  [3, 2],
  [2, 3],
  [3, 64],
  [64, 3],
  [31, 33],
  [32, 32],
  [33, 34],
  [34, 33],
  [64, 64],
  [65, 66],
  [66, 65],
  [66, 62],
  [2, 130],
  [130, 2],
  [129, 131],
];

for (const kind of [Uint16Array, Uint32Array] as const) {
  for (const [fromWord, intoWord] of [
    [0, 0],
    [1, 0],
    [0, 1],
    [1, 1],
    [2, 2],
    [3, 0],
    [0, 3],
    [5, 4],
    [4, 5],
  ] as const) {
    test(`${kind.name} ${fromWord} and ${intoWord} values into their buffers: rows become columns`, () => {
      for (const [rows, columns] of SIZES) {
        const from = numbered(kind, rows * columns, fromWord);
        const wanted = Array.from(
          { length: rows * columns },
          (_, i) => from[(i % rows) * columns + Math.floor(i / rows)],
        );
        const { turned, around } = turnedIn(from, matrixTurn(rows, columns), intoWord);
        assert.equal(turned, wanted, `${rows} x ${columns}`);
        assert.ok(
          around.every((value) => value === GUARD),
          `${rows} x ${columns} writes beside its place`,
        );
      }
    });
  }
}

test('a convolution [out, in, height, width] becomes [height, width, in, out]', () => {
  // torch.arange(24).reshape(2, 3, 2, 2).permute(2, 3, 1, 0).flatten()
  const wanted = [0, 12, 4, 16, 8, 20, 1, 13, 5, 17, 9, 21, 2, 14, 6, 18, 10, 22, 3, 15, 7, 19, 11, 23];
  for (const kind of [Uint16Array, Uint32Array]) {
    const from = new kind(Array.from({ length: 24 }, (_, i) => i));
    assert.equal(Array.from(transpose(from, new kind(24), convTurn([2, 3, 2, 2]))), wanted);
  }
});

test('dimensions that a shape does not have are 1', () => {
  assert.equal(convTurn([4, 3]), matrixTurn(4, 3));
  assert.equal(convTurn([4]), matrixTurn(4, 1));
  assert.equal(convTurn([]), matrixTurn(1, 1));
  assert.equal(convTurn([2, 3, 2]), convTurn([2, 3, 2, 1]));
});

test.run();
