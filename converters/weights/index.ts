/** Tensors of a checkpoint become weights of a model: dtype, order of dimensions, and files. */
export { checkModules, countBlocks } from './claims.ts';
export { decoded, unscaled } from './decode.ts';
export {
  floatsOf,
  type Recipe,
  Scratch,
  type StoredDtype,
  type TensorSource,
  type WeightEntry,
  weightDtype,
  weightEntry,
} from './entry.ts';
export { countNonFinite, type Flaw, flawNotes } from './non-finite.ts';
export { checkTensors, type DtypeChoice, type NamedTensors, storedDtype, weightEntries } from './plan.ts';
export { type ShardOptions, writeWeights } from './writer.ts';
