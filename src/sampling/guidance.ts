import { concatenate, type Values } from './values.ts';

/** The sample twice, for a batch whose first half is unconditional. */
export function doubled({ shape, data }: Values): Values {
  const [count = 0, ...rest] = shape;
  return { shape: [2 * count, ...rest], data: concatenate([data, data]) };
}

/**
 * Classifier-free guidance (Ho and Salimans 2022): unconditional + scale (conditional - unconditional).
 *
 * @param output of a batch: unconditional half, then conditional half
 * @returns half as many values
 */
export function guided(output: Float32Array, scale: number): Float32Array {
  const half = output.length / 2;
  const conditional = output.subarray(half);
  return output.slice(0, half).map((value, index) => value + scale * ((conditional[index] ?? 0) - value));
}
