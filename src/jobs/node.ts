/** Runs from files to a folder: what the commands do, for programs in Node. */

export { openDocument, type PatchedModel, type PatchOptions, patchModel } from '../pipeline/without-tfjs.ts';
export { type FolderJob, openFolder, openJob, openModel, setupOf, sourceOf } from './folder-job.ts';
export { withPaths } from './local-files.ts';
export { modelName } from './picture-text.ts';
export { type PredictedSite, type PredictJob, type PredictRecord, predictFile } from './predict-file.ts';
export {
  type ControlNetFiles,
  readControlNets,
  readPreset,
  readTensorValues,
  readText,
  readTextTable,
  type TextChoice,
} from './read-inputs.ts';
export { type ReadRun, readPictureText, readRunOf } from './read-picture-text.ts';
export { readNoise, readPicture, readStart, type StartFiles } from './read-start.ts';
export { RunFolder } from './run-folder.ts';
export { type FolderRun, type RunJob, runToFolder } from './run-to-folder.ts';
export { type WorkflowFiles, workflowJob } from './workflow-job.ts';
export { type WorkflowModels, workflowOfRun } from './workflow-of-run.ts';
