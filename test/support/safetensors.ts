import { readFileSync } from 'node:fs';
import { decodeSafetensors } from '../../src/tensors/index.ts';

export interface FixtureTensor {
  readonly shape: number[];
  readonly data: Float32Array;
}

/** Reads every tensor of a fixture. */
export function readSafetensors(path: string | URL): Map<string, FixtureTensor> {
  const tensors = decodeSafetensors(readFileSync(path), String(path));
  return new Map([...tensors].map(([name, { shape, data }]) => [name, { shape: [...shape], data }]));
}
