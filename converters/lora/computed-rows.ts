import { sizeOf } from '../../src/graph/index.ts';
import { toFloatBytes } from '../../src/tensors/index.ts';
import { floatsOf, type StoredDtype, type TensorSource } from '../weights/index.ts';
import type { LoraChange, Magnitude } from './changes.ts';
import { type AddDelta, deltaAdder } from './deltas.ts';
import { type LengthsOf, lengthsOf } from './fit.ts';
import type { FusePool } from './kernel/fuse-pool.ts';
import { addSquares, blend, factorsFor, rowSquares, stretch } from './magnitude.ts';
import { columnsOf, readFloats } from './matrices.ts';

/** Values that are computed at once: 16 MiB of floats, a few of which are held. */
const PIECE = 2 ** 22;

/** A change that is ready to be applied to rows. */
interface Step {
  readonly change: LoraChange;
  readonly add: AddDelta;
  readonly lengths?: { readonly of: LengthsOf; readonly values: Float32Array };
}

/**
 * Rows of a tensor with changes of any kind in it, computed in float32 when they are asked for, and rounded once. A DoRA
 * stretches what the changes before it made.
 */
export class ComputedRows {
  private readonly columns: number;
  private readonly rows: number;
  /** By the number of the step; what its inputs are multiplied by depends on all rows. */
  private readonly inputFactors = new Map<number, Float64Array>();

  /** @param pool for this tensor and others that are computed so; not the one of `FusedRows`, which lends its memory */
  constructor(
    private readonly base: TensorSource,
    private readonly to: StoredDtype,
    private readonly changes: readonly LoraChange[],
    private readonly pool: FusePool,
  ) {
    this.columns = columnsOf(base);
    this.rows = base.shape[0] ?? 1;
  }

  /** Bytes of a row as it is stored. */
  get outBytes(): number {
    return (this.to === 'float32' ? 4 : 2) * this.columns;
  }

  /** Bytes `begin` to `end` of the changed tensor; whole rows are computed. */
  async readRange(begin: number, end: number): Promise<Uint8Array> {
    const { outBytes } = this;
    const [first, last] = [Math.floor(begin / outBytes), Math.ceil(end / outBytes)];
    const bytes = new Uint8Array((last - first) * outBytes);
    const steps = await this.steps();
    const dtype = this.to === 'float32' ? 'F32' : 'F16';
    for (const [from, to] of this.pieces(first, last)) {
      const values = await this.after(steps, steps.length, from, to);
      bytes.set(toFloatBytes(values, dtype, this.place), (from - first) * outBytes);
    }
    return bytes.subarray(begin - first * outBytes, end - first * outBytes);
  }

  private get place(): string {
    return `${this.base.file} tensor "${this.base.name}" with LoRA`;
  }

  private *pieces(first: number, last: number): Generator<readonly [from: number, to: number]> {
    const step = Math.max(1, Math.floor(PIECE / this.columns));
    for (let from = first; from < last; from += step) yield [from, Math.min(last, from + step)];
  }

  private steps(): Promise<Step[]> {
    return Promise.all(
      this.changes.map(async (change): Promise<Step> => {
        const add = await deltaAdder(change.delta, this.pool, this.place);
        const { magnitude } = change;
        const of = lengthsOf(change, this.base.shape);
        return { change, add, ...(magnitude && of && { lengths: { of, values: await readFloats(magnitude.source) } }) };
      }),
    );
  }

  /** Rows with the first `count` changes in them. */
  private async after(steps: readonly Step[], count: number, from: number, to: number): Promise<Float32Array> {
    const step = steps[count - 1];
    if (!step) return this.plain(from, to);
    const values = await this.after(steps, count - 1, from, to);
    const { change, lengths } = step;
    if (!lengths) return step.add({ values, first: from, columns: this.columns }, change.scale * change.factor);
    const before = keepsStart(change) ? values.slice() : values;
    const merged = await this.merged(step, values, from);
    const factors =
      lengths.of === 'outputs'
        ? factorsFor(lengths.values.subarray(from, to), rowSquares(merged, this.columns))
        : await this.factorsOfInputs(steps, count);
    stretch(merged, factors, lengths.of, this.shape);
    if (keepsStart(change)) blend(before, merged, change.scale);
    return merged;
  }

  /** The rows with a DoRA's matrices in them, not stretched yet. */
  private merged({ change, add }: Step, values: Float32Array, first: number): Promise<Float32Array> {
    const factor = keepsStart(change) ? change.factor : change.scale * change.factor;
    return add({ values, first, columns: this.columns }, factor);
  }

  private get shape() {
    const taps = sizeOf(this.base.shape.slice(2));
    return { taps, inputs: this.columns / taps };
  }

  private async factorsOfInputs(steps: readonly Step[], count: number): Promise<Float64Array> {
    const known = this.inputFactors.get(count);
    const step = steps[count - 1];
    if (known || !step?.lengths) return known ?? new Float64Array();
    const sums = new Float64Array(this.shape.inputs);
    for (const [from, to] of this.pieces(0, this.rows)) {
      const values = await this.after(steps, count - 1, from, to);
      addSquares(sums, await this.merged(step, values, from), this.shape);
    }
    const factors = factorsFor(step.lengths.values, sums);
    this.inputFactors.set(count, factors);
    return factors;
  }

  private plain(from: number, to: number): Promise<Float32Array> {
    return floatsOf(this.base, from * this.columns, to * this.columns);
  }
}

/**
 * Whether a scale that is not 1 goes that part of the way from the weight to the whole change, as in ComfyUI and the web UIs;
 * PEFT scales the matrices inside and stretches whatever comes of them.
 *
 * Source: ComfyUI, `weight_decompose`; PEFT, `DoraLinearVariant.merge_unsafe`.
 */
function keepsStart({ magnitude, scale }: { magnitude?: Magnitude; scale: number }): boolean {
  return magnitude?.of === 'lycoris' && scale !== 1;
}
