import * as tf from '@tensorflow/tfjs-core';

/**
 * True where tensors lie in the memory of the JavaScript process, so that reading one is at most a memory copy. There,
 * moving rows about in a typed array beats the kernels: wasm's Slice copies its whole input for every slice, and
 * StridedSlice computes an index for every element on wasm and cpu.
 */
export function inHostMemory(): boolean {
  const backend = tf.getBackend();
  return backend === 'wasm' || backend === 'cpu';
}

/** The float32 values of a tensor; on the cpu backend not a copy, so not to be written to. */
export function valuesOf(tensor: tf.Tensor): Float32Array {
  return tensor.dataSync<'float32'>();
}
