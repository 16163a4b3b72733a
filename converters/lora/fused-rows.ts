import type { StoredDtype } from '../weights/convert.ts';
import { type TensorSource, weightDtype } from '../weights/entry.ts';
import { TILE_ROWS } from './kernel/code.ts';
import type { FusePool } from './kernel/fuse-pool.ts';

/** What is to be added to rows of a weight. */
export interface Product {
  /** [rows, rank] */
  readonly up: Float32Array;
  /** [rank, columns] */
  readonly down: Float32Array;
}

/** Where a product comes from. */
export interface ProductSource {
  readonly rank: number;
  /** Writes the product for rows `first` to `last` into matrices of its sizes. */
  read(first: number, last: number, into: Product): Promise<void>;
}

/** Rows of a weight with a product added, computed in parts when they are asked for. */
export class FusedRows {
  /** Bytes of a row as it is read, and as it is stored. */
  private readonly inBytes: number;
  private readonly outBytes: number;

  constructor(
    private readonly base: TensorSource,
    private readonly to: StoredDtype,
    private readonly columns: number,
    private readonly product: ProductSource,
    private readonly pool: FusePool,
  ) {
    this.inBytes = (weightDtype(base) === 'F32' ? 4 : 2) * columns;
    this.outBytes = (to === 'float32' ? 4 : 2) * columns;
  }

  /** Bytes `begin` to `end` of the fused tensor. Whole rows are computed. */
  async readRange(begin: number, end: number, buffer?: ArrayBuffer): Promise<Uint8Array<ArrayBuffer>> {
    const first = Math.floor(begin / this.outBytes);
    const bytes = await this.read(first, Math.ceil(end / this.outBytes), buffer);
    const skipped = first * this.outBytes;
    return bytes.subarray(begin - skipped, end - skipped);
  }

  /** Rows `first` to `last`. */
  async read(first: number, last: number, buffer?: ArrayBuffer): Promise<Uint8Array<ArrayBuffer>> {
    const bytes = (last - first) * this.outBytes;
    const into = buffer && buffer.byteLength >= bytes ? new Uint8Array(buffer, 0, bytes) : new Uint8Array(bytes);
    const { rank } = this.product;
    const upValues = (last - first) * rank;
    const shared = this.pool.matrices.take(4 * (upValues + rank * this.columns));
    const up = new Float32Array(shared, 0, upValues);
    const down = new Float32Array(shared, 4 * upValues, rank * this.columns);
    await this.product.read(first, last, { up, down });
    const parts = this.pool.partsFor(upValues * this.columns);
    const step = TILE_ROWS * Math.ceil((last - first) / parts / TILE_ROWS);
    const jobs: Promise<void>[] = [];
    for (let row = first; row < last; row += step) {
      const end = Math.min(last, row + step);
      const part = up.subarray((row - first) * rank, (end - first) * rank);
      jobs.push(this.fuse(row, end, { up: part, down }, into.subarray((row - first) * this.outBytes)));
    }
    await Promise.all(jobs);
    this.pool.matrices.give(shared);
    return into;
  }

  private async fuse(first: number, last: number, { up, down }: Product, into: Uint8Array): Promise<void> {
    const { pool } = this;
    const bytes = (last - first) * this.inBytes;
    const fused = await pool.run({
      base: await this.base.readRange(first * this.inBytes, last * this.inBytes, pool.rows.take(bytes)),
      from: weightDtype(this.base),
      to: this.to,
      columns: this.columns,
      rank: this.product.rank,
      up,
      down,
      place: `${this.base.file} tensor "${this.base.name}" with LoRA`,
    });
    into.set(fused);
    pool.rows.give(fused.buffer);
  }
}
