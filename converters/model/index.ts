/** What every conversion writes: model.json with its metadata, beside the weights. */
export { type DataSpace, unetMetadata, unetRecord } from './metadata.ts';
export { type ConversionOptions, type ConvertSummary, writeGraph } from './write-graph.ts';
