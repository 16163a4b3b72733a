/** What every conversion writes: model.json with its metadata, beside the weights. */
export { checkLatents } from './check-latents.ts';
export { type DataSpace, unetMetadata, unetRecord } from './metadata.ts';
export { type ConversionOptions, type ConvertSummary, reading, writeGraph } from './write-graph.ts';
