import * as tf from '@tensorflow/tfjs-core';
import { toFloat32Array } from '../../../converters/weights/convert.ts';
import { weightDtype } from '../../../converters/weights/entry.ts';
import type { Values } from '../../sampling/index.ts';
import { openSafetensors } from '../../tensors/open.ts';

/**
 * Reads every F16, BF16 or F32 tensor of a safetensors file as float32 values.
 *
 * @throws SlothfulError `io`, `bad-checkpoint`, `unsupported` (other dtypes)
 */
export async function readTensorValues(path: string): Promise<Map<string, Values>> {
  const file = await openSafetensors(path);
  const found = new Map<string, Values>();
  try {
    for (const [name, { dtype, shape }] of file.tensors) {
      const from = weightDtype({ name, dtype, file: path });
      found.set(name, { shape, data: toFloat32Array(await file.read(name), from) });
    }
    return found;
  } finally {
    await file.close();
  }
}

/** Values as tensors, the caller's to dispose. The backend must have been chosen. */
export function makeTensors(values: ReadonlyMap<string, Values>): Map<string, tf.Tensor> {
  return new Map([...values].map(([name, { shape, data }]) => [name, tf.tensor(data, [...shape], 'float32')]));
}
