import * as tf from '@tensorflow/tfjs-core';

/** Ops hand tensors to kernels, other kernels what tensors are made of. */
export function tensorOf(input: tf.TensorInfo): tf.Tensor {
  return input instanceof tf.Tensor ? input : tf.engine().makeTensorFromTensorInfo(input);
}
