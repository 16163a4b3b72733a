/** Everything of `slothful-attention`, with models read from and written to Node's file system. */
export * from './index.ts';
export {
  type ControlNetFiles,
  type FolderJob,
  type FolderRun,
  openDocument,
  openModel,
  type PatchedModel,
  type PatchOptions,
  type PredictedSite,
  type PredictJob,
  type PredictRecord,
  patchModel,
  predictFile,
  type ReadRun,
  type RunJob,
  readControlNets,
  readNoise,
  readPicture,
  readPictureText,
  readPreset,
  readRunOf,
  readStart,
  readTensorValues,
  readText,
  readTextTable,
  runToFolder,
  type StartFiles,
  type TextChoice,
  type WorkflowFiles,
  type WorkflowModels,
  workflowJob,
  workflowOfRun,
} from './jobs/node.ts';
export { atomicDirectory, atomicFile, ModelFile, readModel, type WrittenModel, writeModel } from './models/node.ts';
// These take the place of the browser's: local paths, and the native backend.
export { chooseBackend, loadControlNet, loadModel, loadUNet } from './runtime/node.ts';
export { type FolderSweep, type SweepJob, sweepPage, sweepToFolder } from './sweeps/node.ts';
export { openSafetensors, readSafetensors, type SafetensorsFile, writeSafetensors } from './tensors/node.ts';
export { readTokenizer } from './text/node.ts';
export { readWorkflowFile, type WorkflowFile } from './workflows/node.ts';
