import type { StoredDtype } from '../weights/convert.ts';
import { type TensorSource, weightDtype } from '../weights/entry.ts';
import { TILE_ROWS } from './kernel/code.ts';
import type { FusePool } from './kernel/fuse-pool.ts';

/** A low-rank product that is to be added: `up` [outputs, rank], `down` [rank, columns]. */
export interface Product {
  readonly up: Float32Array;
  readonly down: Float32Array;
  readonly rank: number;
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
    private readonly product: () => Promise<Product>,
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
    const product = await this.product();
    const bytes = (last - first) * this.outBytes;
    const into = buffer && buffer.byteLength >= bytes ? new Uint8Array(buffer, 0, bytes) : new Uint8Array(bytes);
    const parts = this.pool.partsFor((last - first) * this.columns * product.rank);
    const step = TILE_ROWS * Math.ceil((last - first) / parts / TILE_ROWS);
    const jobs: Promise<void>[] = [];
    for (let row = first; row < last; row += step) {
      jobs.push(this.fuse(row, Math.min(last, row + step), product, into.subarray((row - first) * this.outBytes)));
    }
    await Promise.all(jobs);
    return into;
  }

  private async fuse(first: number, last: number, { up, down, rank }: Product, into: Uint8Array): Promise<void> {
    const { base, to, columns } = this;
    const rows = await this.pool.run({
      base: await base.readRange(first * this.inBytes, last * this.inBytes),
      from: weightDtype(base),
      to,
      columns,
      rank,
      up: up.slice(first * rank, last * rank),
      down,
      place: `${base.file} tensor "${base.name}" with LoRA`,
    });
    into.set(rows);
  }
}
