/**
 * Slothful Attention for TensorFlow.js, for browsers and Node: documents, locating, rewriting, running, sampling
 * and reports.
 * What needs Node's file system is in `slothful-attention/node`; converters are in `slothful-attention/converters`.
 */
export * from './attention/index.ts';
export { suggest } from './documents/index.ts';
export { type ErrorCode, messageOf, SlothfulError } from './errors.ts';
export * from './graph/index.ts';
export { SlothfulAttention, setLogitsLimit } from './kernels/index.ts';
export { diffPage, inspectPage, planPage } from './pages/index.ts';
export * from './passes/index.ts';
export { KVPooling, type KVPoolingArgs } from './passes/slothful/kv-pooling-layer.ts';
export * from './pipeline/index.ts';
export {
  type DiffReport,
  diffGraphs,
  type InspectReport,
  inspectGraph,
  type PlanReport,
  planGraph,
} from './reports/index.ts';
export * from './runtime/index.ts';
export * from './sampling/index.ts';
export * from './sweeps/index.ts';
export {
  decodeSafetensors,
  encodeSafetensors,
  type Float32Tensor,
  type FloatDtype,
  halfToFloat,
  type StoredTensor,
  toFloat32Array,
  toFloatBytes,
  type WritableTensor,
} from './tensors/index.ts';
export * from './text/index.ts';
export * from './vae/index.ts';
export * from './workflows/index.ts';
