/** Everything of `slothful-attention`, with models read from and written to Node's file system. */
export * from './index.ts';
export { atomicDirectory, atomicFile, ModelFile, readModel, type WrittenModel, writeModel } from './models/node.ts';
// These take the place of the browser's: local paths, and the native backend.
export { chooseBackend, loadControlNet, loadModel, loadUNet } from './runtime/node.ts';
export { openSafetensors, readSafetensors, type SafetensorsFile, writeSafetensors } from './tensors/node.ts';
