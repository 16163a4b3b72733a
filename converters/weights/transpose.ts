import type { Bits } from '../../src/tensors/index.ts';

/** Tiles are this many rows by this many columns of the source: they fit a 32 KiB cache, and were the fastest measured. */
const TILE = 64;

/** A transposition of a matrix [rows, columns] whose column c becomes the row `rowOf[c]` of the result. */
export interface Turn {
  readonly rows: number;
  readonly columns: number;
  readonly rowOf: Int32Array;
}

/** The turn [out, in] -> [in, out]. */
export function matrixTurn(rows: number, columns: number): Turn {
  return { rows, columns, rowOf: Int32Array.from({ length: columns }, (_, column) => column) };
}

/** The turn [out, in, height, width] -> [height, width, in, out]. */
export function convTurn([out = 1, input = 1, height = 1, width = 1]: readonly number[]): Turn {
  const taps = height * width;
  const columns = input * taps;
  const rowOf = Int32Array.from({ length: columns }, (_, c) => (c % taps) * input + Math.floor(c / taps));
  return { rows: out, columns, rowOf };
}

/** One value at a time: for 32-bit values, and for 16-bit values of odd shapes. */
function turnTile(from: Bits, into: Bits, turn: Turn, row: number, column: number): void {
  const { rows, columns, rowOf } = turn;
  const lastRow = Math.min(rows, row + TILE / 2);
  const lastColumn = Math.min(columns, column + TILE / 2);
  for (let c = column; c < lastColumn; c++) {
    let target = (rowOf[c] ?? 0) * rows + row;
    for (let source = row * columns + c; source < lastRow * columns; source += columns) {
      into[target++] = from[source] ?? 0;
    }
  }
}

/**
 * 16-bit values four at a time, as 2x2 squares: each is two 32-bit loads and two 32-bit stores, which is about twice as
 * fast as value by value.
 */
function turnPairsTile(from: Int32Array, into: Int32Array, turn: Turn, row: number, column: number): void {
  const { rows, columns, rowOf } = turn;
  const half = columns / 2;
  const lastRow = Math.min(rows, row + TILE);
  const lastColumn = Math.min(columns, column + TILE);
  for (let c = column; c < lastColumn; c += 2) {
    let even = ((rowOf[c] ?? 0) * rows + row) / 2;
    let odd = ((rowOf[c + 1] ?? 0) * rows + row) / 2;
    for (let source = row * half + c / 2; source < lastRow * half; source += columns) {
      const upper = from[source] ?? 0;
      const lower = from[source + half] ?? 0;
      into[even++] = (upper & 0xffff) | (lower << 16);
      into[odd++] = (upper >>> 16) | (lower & 0xffff0000);
    }
  }
}

/** Signed, since unsigned 32-bit loads leave the integer registers. */
function words(values: Bits): Int32Array {
  return new Int32Array(values.buffer, values.byteOffset, values.length / 2);
}

/** Whether 16-bit values can be turned in pairs: even sizes, and both at whole 32-bit words of their buffers. */
function pairsFit(from: Bits, into: Bits, turn: Turn): boolean {
  if (from instanceof Uint32Array || turn.rows % 2 || turn.columns % 2) return false;
  return from.byteOffset % 4 === 0 && into.byteOffset % 4 === 0;
}

/**
 * Transposes `from` [rows, columns] into `into` in tiles that stay in the cache.
 *
 * @param into of the same kind and length as `from`, of other memory
 */
export function transpose<T extends Bits>(from: T, into: T, turn: Turn): T {
  const { rows, columns } = turn;
  if (pairsFit(from, into, turn)) {
    const [fromWords, intoWords] = [words(from), words(into)];
    for (let row = 0; row < rows; row += TILE) {
      for (let column = 0; column < columns; column += TILE) turnPairsTile(fromWords, intoWords, turn, row, column);
    }
    return into;
  }
  for (let row = 0; row < rows; row += TILE / 2) {
    for (let column = 0; column < columns; column += TILE / 2) turnTile(from, into, turn, row, column);
  }
  return into;
}
