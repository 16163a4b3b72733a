/** The parts of the pipeline that read and write files: what the commands do, for programs in Node. */
export { type FolderJob, type JobProgress, openJob, openModel, sourceOf, steerJob } from './folder-job.ts';
export { type PredictedSite, type PredictJob, type PredictRecord, predictFile } from './predict-file.ts';
export {
  type ControlNetFiles,
  readConditioner,
  readControlNets,
  readPreset,
  readTensorValues,
  readTextTable,
  type TextChoice,
} from './read-inputs.ts';
export { RunFolder } from './run-folder.ts';
export { type FolderRun, type RunJob, runToFolder } from './run-to-folder.ts';
export { openDocument, type PatchedModel, type PatchOptions, patchModel } from './without-tfjs.ts';
