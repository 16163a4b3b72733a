/** What is added to rows of a tensor, computed in float32. */
import type { Delta, KroneckerFactor } from './changes.ts';
import { Product, type ProductTerm } from './fused-rows.ts';
import type { FusePool } from './kernel/fuse-pool.ts';
import { columnsOf, readFloats, smallProduct } from './matrices.ts';

/** Rows of a tensor as floats; `first` is the first of them, `columns` the values of each. */
export interface Rows {
  readonly values: Float32Array;
  readonly first: number;
  readonly columns: number;
}

/** What adds `factor` times a delta to rows, and returns them: in place, or in other memory. */
export type AddDelta = (rows: Rows, factor: number) => Promise<Float32Array>;

/**
 * What adds a delta: what of it is small is computed once, so that rows may come in pieces.
 *
 * @param pool for products; nobody else may use it, since results are taken out of its memory one at a time
 */
export async function deltaAdder(delta: Delta, pool: FusePool, place: string): Promise<AddDelta> {
  switch (delta.kind) {
    case 'product':
      return (rows, factor) => addProduct(rows, { ...delta, factor }, pool, place);
    case 'difference':
      return async (rows, factor) => {
        const { values, first, columns } = rows;
        const from = first * columns;
        return addTo(values, await readFloats(delta.difference, from, from + values.length), factor);
      };
    case 'hadamard':
      return async (rows, factor) => {
        const zeros = { ...rows, values: new Float32Array(rows.values.length) };
        const [one, two] = delta.factors;
        const left = await addProduct(zeros, { ...one, factor: 1 }, pool, place);
        const right = await addProduct(zeros, { ...two, factor: 1 }, pool, place);
        for (let i = 0; i < left.length; i++) left[i] = (left[i] ?? 0) * (right[i] ?? 0);
        return addTo(rows.values, left, factor);
      };
    case 'kronecker': {
      const [one, two] = delta.factors;
      const factors = [await factorValues(one), await factorValues(two)] as const;
      return async (rows, factor) => addKronecker(rows, factors, factor);
    }
  }
}

function addTo(values: Float32Array, added: Float32Array, factor: number): Float32Array {
  for (let i = 0; i < values.length; i++) values[i] = (values[i] ?? 0) + factor * (added[i] ?? 0);
  return values;
}

async function addProduct(
  { values, first, columns }: Rows,
  term: ProductTerm,
  pool: FusePool,
  place: string,
): Promise<Float32Array> {
  const rows = values.length / columns;
  const product = new Product([term], columns);
  const task = { from: 'F32', to: 'float32', rows, columns, rank: term.rank, place } as const;
  const bytes = await pool.fuse(task, async (room) => {
    room.base.set(new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
    await product.read(first, first + rows, room);
  });
  return new Float32Array(bytes.slice().buffer);
}

/** A factor of a Kronecker product, flat. */
interface FactorValues {
  readonly values: Float32Array;
  readonly rows: number;
  readonly columns: number;
}

async function factorValues(factor: KroneckerFactor): Promise<FactorValues> {
  if (!('up' in factor)) {
    return { values: await readFloats(factor), rows: factor.shape[0] ?? 0, columns: columnsOf(factor) };
  }
  const { up, down } = factor;
  return { values: await smallProduct(up, down), rows: up.shape[0] ?? 0, columns: columnsOf(down) };
}

/** Each value of the first factor times all of the second, in the place of that value. Source: torch.kron. */
function addKronecker(
  { values, first, columns }: Rows,
  [one, two]: readonly [FactorValues, FactorValues],
  factor: number,
): Float32Array {
  for (let at = 0; at < values.length; at += columns) {
    const row = first + at / columns;
    const [outer, inner] = [Math.floor(row / two.rows), row % two.rows];
    for (let block = 0; block < one.columns; block++) {
      const scale = factor * (one.values[outer * one.columns + block] ?? 0);
      const into = at + block * two.columns;
      const from = inner * two.columns;
      for (let column = 0; column < two.columns; column++) {
        values[into + column] = (values[into + column] ?? 0) + scale * (two.values[from + column] ?? 0);
      }
    }
  }
  return values;
}
