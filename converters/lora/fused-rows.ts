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
  /** The product for rows `first` to `last`. */
  read(first: number, last: number): Promise<Product>;
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
    const [inBytes, outBytes] = [this.inBytes, this.outBytes];
    // Rows that keep their size are computed in their place.
    const inPlace = outBytes === inBytes;
    const rows = await this.base.readRange(first * inBytes, last * inBytes, inPlace ? buffer : undefined);
    const into = inPlace ? rows : roomFor((last - first) * outBytes, buffer);
    await this.compute(rows, await this.product.read(first, last), into);
    return into;
  }

  private async compute(base: Uint8Array, { up, down }: Product, into: Uint8Array): Promise<void> {
    const [inBytes, outBytes] = [this.inBytes, this.outBytes];
    const { rank } = this.product;
    const rows = into.length / outBytes;
    const parts = this.pool.partsFor(rows * rank * this.columns);
    const step = TILE_ROWS * Math.ceil(rows / parts / TILE_ROWS);
    const jobs: Promise<void>[] = [];
    for (let row = 0; row < rows; row += step) {
      const end = Math.min(rows, row + step);
      const job = {
        from: weightDtype(this.base),
        to: this.to,
        rows: end - row,
        columns: this.columns,
        rank,
        place: `${this.base.file} tensor "${this.base.name}" with LoRA`,
        base: base.subarray(row * inBytes, end * inBytes),
        up: up.subarray(row * rank, end * rank),
        down,
        into: into.subarray(row * outBytes, end * outBytes),
      };
      jobs.push(this.pool.run(job, jobs.length));
    }
    await Promise.all(jobs);
  }
}

/** The start of `buffer` if it has room, else a new one. */
function roomFor(bytes: number, buffer: ArrayBuffer | undefined): Uint8Array<ArrayBuffer> {
  return buffer && buffer.byteLength >= bytes ? new Uint8Array(buffer, 0, bytes) : new Uint8Array(bytes);
}
