/** Tensors of a checkpoint become weights of a model: dtype, order of dimensions, and files. */
export {
  type Recipe,
  Scratch,
  type StoredDtype,
  type TensorSource,
  type WeightEntry,
  weightDtype,
  weightEntry,
} from './entry.ts';
export { checkTensors, type DtypeChoice, type NamedTensors, storedDtype, weightEntries } from './plan.ts';
export { type ShardOptions, writeWeights } from './writer.ts';
