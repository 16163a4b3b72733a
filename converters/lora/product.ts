import { toFloat32Array } from '../../src/tensors/index.ts';
import { type Scratch, type TensorSource, weightDtype } from '../weights/index.ts';
import { packDown, packUp } from './kernel/pack.ts';
import type { FuseRoom } from './kernel/slot.ts';
import type { LoraModule } from './open.ts';

/** What is to be added to a weight: the terms' matrices as one product, [rows, ranks] times [ranks, columns]. */
export class Product {
  /** The ranks of all terms together. */
  readonly rank: number;

  /** @param columns inputs of the weight, times the taps of a convolution */
  constructor(
    private readonly terms: readonly LoraModule[],
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

/** Some values of a tensor, counted from its start; in a buffer that the next ones take over. */
async function readFloats(source: TensorSource, from: number, to: number, scratch: Scratch): Promise<Float32Array> {
  const dtype = weightDtype(source);
  const size = dtype === 'F32' ? 4 : 2;
  const room = new Uint8Array(scratch.take('input', size * (to - from)));
  const bytes = await source.readRange(size * from, size * to, room);
  return toFloat32Array(bytes, dtype, scratch.take('output', 4 * (to - from)));
}
