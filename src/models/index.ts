/** Models at any place that can be read, for browsers and Node; folders on disk are in `node.ts`. */
export { decodeWeight, placeStored, type WeightValues } from './decode-weight.ts';
export { ioError, systemCode } from './io-error.ts';
export { unetField } from './metadata.ts';
export { ModelFile, type StoredWeight } from './model-file.ts';
export { type ByteSource, isAddress, type ModelSource, type ModelStore, type PipelineStore } from './model-store.ts';
export {
  PIPELINE_DOCUMENT,
  PIPELINE_FILE,
  type PipelineManifest,
  type PipelinePart,
  parsePipelineManifest,
  TOKENIZER_FILES,
} from './pipeline-manifest.ts';
export { openUrl } from './url-pipeline.ts';
export type { UrlRequest } from './url-request.ts';
export { isUrl, UrlStore } from './url-store.ts';
