import { type StoredDtype, type TensorSource, weightDtype } from '../weights/index.ts';
import type { LowRank } from './changes.ts';
import type { FusePool, FuseRoom } from './kernel/fuse-pool.ts';
import { packDown, packUp } from './kernel/layout.ts';
import { readFloats } from './matrices.ts';

/** A product of two matrices, and what it is multiplied by. */
export interface ProductTerm extends LowRank {
  readonly factor: number;
}

/** What is to be added to a weight: the terms' matrices as one product, [rows, ranks] times [ranks, columns]. */
export class Product {
  /** The ranks of all terms together. */
  readonly rank: number;

  /** @param columns inputs of the weight, times the taps of a convolution */
  constructor(
    private readonly terms: readonly ProductTerm[],
    private readonly columns: number,
  ) {
    this.rank = terms.reduce((sum, term) => sum + term.rank, 0);
  }

  /** Reads the product for rows `first` to `last` of the weight into the kernel's memory. */
  async read(first: number, last: number, { tiles, panels, scratch }: FuseRoom): Promise<void> {
    let before = 0;
    for (const { up, down, rank, factor } of this.terms) {
      const ranks = { before, own: rank, all: this.rank };
      packDown(await readFloats(down, 0, rank * this.columns, scratch), panels, this.columns, ranks);
      packUp(await readFloats(up, first * rank, last * rank, scratch), tiles, factor, ranks);
      before += rank;
    }
  }
}

/** Rows of a weight with a product added, computed when they are asked for, or a little before. */
export class FusedRows {
  /** Bytes of a row as it is stored. */
  readonly outBytes: number;
  /** Bytes of a row as it is read. */
  private readonly inBytes: number;
  /** What was started ahead, by its bytes. */
  private readonly ahead = new Map<string, Promise<Uint8Array>>();

  constructor(
    private readonly base: TensorSource,
    private readonly to: StoredDtype,
    private readonly columns: number,
    private readonly product: Product,
    private readonly pool: FusePool,
  ) {
    this.inBytes = (weightDtype(base) === 'F32' ? 4 : 2) * columns;
    this.outBytes = (to === 'float32' ? 4 : 2) * columns;
  }

  /** Starts computing bytes that are read next. */
  prefetch(begin: number, end: number): void {
    const bytes = this.compute(begin, end);
    // A failure is thrown to whom the bytes are given; where nobody asks for them it does not matter.
    bytes.catch(() => undefined);
    this.ahead.set(`${begin}-${end}`, bytes);
  }

  /** Bytes `begin` to `end` of the fused tensor, in memory of the pool: valid until the second read after this one. */
  readRange(begin: number, end: number): Promise<Uint8Array> {
    const key = `${begin}-${end}`;
    const started = this.ahead.get(key);
    this.ahead.delete(key);
    return started ?? this.compute(begin, end);
  }

  /** Whole rows are computed. */
  private async compute(begin: number, end: number): Promise<Uint8Array> {
    const [first, last] = [Math.floor(begin / this.outBytes), Math.ceil(end / this.outBytes)];
    const bytes = await this.fuse(first, last);
    const skipped = first * this.outBytes;
    return bytes.subarray(begin - skipped, end - skipped);
  }

  private fuse(first: number, last: number): Promise<Uint8Array> {
    const { base } = this;
    const task = {
      from: weightDtype(base),
      to: this.to,
      rows: last - first,
      columns: this.columns,
      rank: this.product.rank,
      place: `${base.file} tensor "${base.name}" with LoRA`,
    };
    return this.pool.fuse(task, async (room) => {
      await Promise.all([
        base.readRange(first * this.inBytes, last * this.inBytes, room.base),
        this.product.read(first, last, room),
      ]);
    });
  }
}
