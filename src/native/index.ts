/** Sets up the native backend on the TensorFlow of today. Needs Node, and knows nothing of models. */
export { describeResult, gpuRemark } from './check-result.ts';
export { MissingTools, setupNative, TENSORFLOW_VERSION } from './setup.ts';
