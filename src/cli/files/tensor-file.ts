import * as tf from '@tensorflow/tfjs-core';
import type { Float32Tensor } from '../../tensors/index.ts';

export { readSafetensors as readTensorValues } from '../../tensors/node.ts';

/** Values as tensors, the caller's to dispose. The backend must have been chosen. */
export function makeTensors(values: ReadonlyMap<string, Float32Tensor>): Map<string, tf.Tensor> {
  return new Map([...values].map(([name, { shape, data }]) => [name, tf.tensor(data, [...shape], 'float32')]));
}
