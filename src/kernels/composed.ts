import * as tf from '@tensorflow/tfjs-core';
import type { COMPOSED_KERNELS } from '../backends/index.ts';
import { einsumOf } from './einsum.ts';
import { tensorOf } from './tensor-info.ts';

type Compute = (inputs: readonly tf.Tensor[], attributes: tf.NamedAttrMap) => tf.Tensor;

/** Kernels made of others, which every backend has. */
const COMPOSED: Readonly<Record<(typeof COMPOSED_KERNELS)[number], Compute>> = {
  Einsum: (inputs, { equation }) => einsumOf(String(equation), inputs),
};

/**
 * Gives the running backend the kernels that it lacks and that can be made of others. Its own stay; calling it again changes
 * nothing. The registry is TF.js's own, global by kernel and backend.
 */
export function registerComposedKernels(): void {
  const backendName = tf.getBackend();
  for (const [kernelName, compute] of Object.entries(COMPOSED)) {
    if (tf.getKernel(kernelName, backendName)) continue;
    const kernelFunc: tf.KernelFunc = ({ inputs, attrs = {} }) => compute(tensorsOf(inputs), attrs);
    tf.registerKernel({ kernelName, backendName, kernelFunc });
  }
}

function tensorsOf(inputs: tf.NamedTensorInfoMap): tf.Tensor[] {
  return Object.values(inputs).flatMap((input) => {
    return input ? tensorOf(input) : [];
  });
}
