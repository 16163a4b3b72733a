/** Checkpoints on disk: finding, opening and recognising them; which model is in them is the caller's business. */
export { HYPERNETWORK_NAMES, isPickle, looksLike, refuseHypernetwork, refusePickle } from './identify.ts';
export { type Checkpoint, type CheckpointKind, type OpenOptions, openCheckpoint, tensorNames } from './open.ts';
export { readJsonIfThere } from './read-json.ts';
export { pickSources } from './shards.ts';
