/** Safetensors in memory and in files of Node's file system. */
export * from './index.ts';
export { openSafetensors, readSafetensors, type SafetensorsFile } from './read-file.ts';
export { type StreamedTensor, type StreamOptions, streamSafetensors, writeSafetensors } from './write-file.ts';
