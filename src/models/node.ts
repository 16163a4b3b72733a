/** Models at any place, read from and written to Node's file system. */
export { atomicDirectory, atomicFile, checkOutputFile, checkOutputFolder, type FileOptions } from './atomic.ts';
export { settle } from './exchange.ts';
export { openStore, readModel, readPipelineManifest, textIfThere } from './file-store.ts';
export * from './index.ts';
export { localPath } from './local-path.ts';
export { type FilePaths, type FolderKind, readObject } from './own-files.ts';
export { readForeignJson, readJson } from './read-json.ts';
export { makeFolders, pathError, realTarget } from './real-path.ts';
export { checkFolder, type OutputOptions } from './replaceable.ts';
export { StagedFolder } from './staged-folder.ts';
export {
  type WriteModelOptions,
  type WrittenModel,
  writeModel,
  writeModelJson,
} from './write-model.ts';
export { writeModelOf } from './write-pipeline.ts';
