/** Checkpoints on disk: finding, opening and recognising them; which model is in them is the caller's business. */
export {
  HYPERNETWORK_NAMES,
  isPickle,
  looksLike,
  OTHER_CONTROLS,
  refuseHypernetwork,
  refusePickle,
} from './identify.ts';
export {
  type Checkpoint,
  type CheckpointKind,
  type OpenOptions,
  openCheckpoint,
  type Spelling,
  tensorNames,
} from './open.ts';
export { readJsonIfThere } from './read-json.ts';
export type { SamplingFacts } from './sampling.ts';
export { pickSources } from './shards.ts';
export { prefixesBefore } from './wrappers.ts';
