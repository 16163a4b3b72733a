import { writeFileSync } from 'node:fs';
import { decodeStored, encodeSafetensors, type StoredTensor } from '../../src/tensors/index.ts';

/** A tensor as a file has it. */
export type RawTensor = StoredTensor;

/** A float32 tensor. */
export function floats(shape: readonly number[], values: ArrayLike<number>): RawTensor {
  return { dtype: 'F32', shape, bytes: new Uint8Array(Float32Array.from(values).buffer) };
}

/** Writes a safetensors file of any dtypes. */
export function writeTensors(
  path: string,
  tensors: ReadonlyMap<string, RawTensor>,
  metadata?: Readonly<Record<string, string>>,
): void {
  writeFileSync(path, encodeSafetensors(tensors, metadata));
}

/** Reads a safetensors file as it is. */
export function readTensors(bytes: Uint8Array): Map<string, RawTensor> {
  return decodeStored(bytes);
}
