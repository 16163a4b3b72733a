/** DoRA: a weight with a LoRA in it gets rows, or columns, of learned lengths. */
import type { LengthsOf } from './fit.ts';

/** What makes a length of nothing harmless, as LyCORIS and ComfyUI have it: float32's epsilon. */
const EPSILON = 2 ** -23;

/** A weight's dimensions: rows, inputs and taps of a convolution. */
export interface LengthShape {
  readonly inputs: number;
  readonly taps: number;
}

/** The squares of each input's values, summed over rows and taps: one piece of the rows after the other. */
export function addSquares(sums: Float64Array, values: Float32Array, { inputs, taps }: LengthShape): void {
  for (let at = 0, input = 0; at < values.length; at += taps, input = (input + 1) % inputs) {
    let sum = 0;
    for (let tap = 0; tap < taps; tap++) sum += (values[at + tap] ?? 0) ** 2;
    sums[input] = (sums[input] ?? 0) + sum;
  }
}

/** What each value is multiplied by where sums of squares are to become lengths. */
export function factorsFor(lengths: Float32Array, sums: Float64Array): Float64Array {
  return Float64Array.from(sums, (sum, index) => (lengths[index] ?? Number.NaN) / (Math.sqrt(sum) + EPSILON));
}

/** The squares of each row's values, summed. */
export function rowSquares(values: Float32Array, columns: number): Float64Array {
  const sums = new Float64Array(values.length / columns);
  for (let row = 0; row < sums.length; row++) {
    let sum = 0;
    for (let at = row * columns; at < (row + 1) * columns; at++) sum += (values[at] ?? 0) ** 2;
    sums[row] = sum;
  }
  return sums;
}

/** Multiplies each row, or each input, by its factor; in place. */
export function stretch(
  values: Float32Array,
  factors: Float64Array,
  of: LengthsOf,
  { inputs, taps }: LengthShape,
): void {
  // Runs of values with one factor: a row, or the taps of an input.
  const run = of === 'outputs' ? inputs * taps : taps;
  for (let at = 0, index = 0; at < values.length; at += run, index++) {
    const factor = factors[index % factors.length] ?? Number.NaN;
    for (let i = at; i < at + run; i++) values[i] = (values[i] ?? 0) * factor;
  }
}

/** Values part of the way to others: `from + scale * (to - from)`, in `to`. */
export function blend(from: Float32Array, to: Float32Array, scale: number): void {
  for (let i = 0; i < to.length; i++) to[i] = (from[i] ?? 0) + scale * ((to[i] ?? 0) - (from[i] ?? 0));
}
