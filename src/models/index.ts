export { atomicDirectory, atomicFile, type OutputOptions } from './atomic.ts';
export { decodeWeight, type WeightValues } from './decode-weight.ts';
export { ioError, systemCode } from './io-error.ts';
export { ModelFile, type StoredWeight } from './model-file.ts';
export type { ByteSource, ModelStore } from './model-store.ts';
export { readJson } from './read-json.ts';
export { openStore, readModel } from './read-model.ts';
export { isUrl, UrlStore } from './url-store.ts';
export {
  storeAddedConstants,
  type WriteOptions,
  type WrittenModel,
  writeModel,
  writeModelJson,
} from './write-model.ts';
