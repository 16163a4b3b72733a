import type { DType } from './attributes.ts';

/** How a weight is stored when it is not stored as its dtype. */
export interface Quantization {
  readonly dtype: 'float16' | 'uint8' | 'uint16';
  readonly scale?: number;
  readonly min?: number;
  readonly original_dtype?: string;
}

/** One entry of the weights manifest. */
export interface WeightSpec {
  readonly name: string;
  readonly shape: readonly number[];
  readonly dtype: DType;
  readonly quantization?: Quantization;
}

/** Weights whose bytes lie one after the other in the concatenation of `paths`. */
export interface WeightGroup {
  readonly paths: readonly string[];
  readonly weights: readonly WeightSpec[];
}

/** Where the bytes of a weight start, counted from the start of its group. */
export interface WeightLocation {
  readonly spec: WeightSpec;
  readonly group: number;
  readonly offset: number;
  readonly bytes: number;
}

const BYTES: Readonly<Record<DType | Quantization['dtype'], number>> = {
  float32: 4,
  int32: 4,
  bool: 1,
  string: 0,
  complex64: 8,
  float16: 2,
  uint8: 1,
  uint16: 2,
};

/** Number of elements of a shape. */
export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, dim) => product * dim, 1);
}

/** Bytes that a weight takes in its shard. Strings have no fixed size: undefined. */
export function storedBytes({ shape, dtype, quantization }: WeightSpec): number | undefined {
  if (dtype === 'string') return undefined;
  return sizeOf(shape) * BYTES[quantization?.dtype ?? dtype];
}

/** Bytes that a weight takes in memory once it is loaded (TF.js knows no half floats). */
export function loadedBytes({ shape, dtype }: WeightSpec): number {
  return sizeOf(shape) * (BYTES[dtype] || 1);
}

/**
 * Where every weight lies. Weights behind a string weight of the same group cannot be located without reading it
 * and are left out.
 */
export function locateWeights(groups: readonly WeightGroup[]): Map<string, WeightLocation> {
  const found = new Map<string, WeightLocation>();
  groups.forEach((group, index) => {
    let offset = 0;
    for (const spec of group.weights) {
      const bytes = storedBytes(spec);
      if (bytes === undefined) return;
      found.set(spec.name, { spec, group: index, offset, bytes });
      offset += bytes;
    }
  });
  return found;
}
