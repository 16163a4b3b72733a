/** Models at any place, read from and written to Node's file system. */
export { atomicDirectory, atomicFile, type OutputOptions } from './atomic.ts';
export { openStore, readModel, readPipelineManifest, textIfThere } from './file-store.ts';
export * from './index.ts';
export { readJson } from './read-json.ts';
export {
  type WriteModelOptions,
  type WrittenModel,
  writeModel,
  writeModelJson,
} from './write-model.ts';
export { writeModelOf } from './write-pipeline.ts';
