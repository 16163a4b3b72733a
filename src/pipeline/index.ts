/**
 * What a program, the command line and a page in a browser share: open a model, decide a run, load it with what steers
 * it, run it, keep a record. What reads and writes files is in `node.ts`.
 */
import { type ModelStore, WEB_PLATFORM } from '../runtime/index.ts';
import { type OpenedModel, openModelOn } from './open-model.ts';

export {
  type Conditioner,
  promptConditioner,
  promptConditioning,
  tensorConditioning,
  withImageEmbeds,
  withTimeIds,
} from './conditioning.ts';
export {
  type ComparedOutcomes,
  type ComparedTask,
  compareRuns,
  executeRun,
  type RunHalf,
  type RunOutcome,
  type RunTask,
} from './execute.ts';
export { type Look, lookOf } from './look.ts';
export {
  type AskedExtent,
  extentOf,
  type OpenedDocument,
  type OpenedModel,
  openModelOn,
  pixelsOf,
  sampleSize,
} from './open-model.ts';
export { parametersInForce, parametersLine, passLines } from './parameters.ts';
export {
  attentionFlopsOf,
  backendToRun,
  planRun,
  type RunPlan,
  type RunPlanOptions,
} from './plan-run.ts';
export { type ResolvedRun, type RunChoices, requestOf, resolveParameters, resolveRun } from './resolve-run.ts';
export {
  ATTENTION_FLOPS,
  type AttentionFlops,
  type ExecutedSite,
  type RecordedSite,
  RUN_DOCUMENT,
  RUN_PARAMETERS,
  RUN_SOURCE,
  type RunCompanions,
  type RunRecord,
  type RunSource,
  type StepRecord,
} from './run-document.ts';
export { runRecord, totalMilliseconds } from './run-record.ts';
export {
  completeSettings,
  evaluatedBatch,
  type RunRequest,
  type ScheduleChoice,
  scheduleOf,
} from './settings.ts';
export {
  type Companions,
  type ControlNetChoice,
  type SteeredUNet,
  type SteerOptions,
  steer,
} from './steer.ts';
export { executedSite, type PatchInForce } from './step-record.ts';

/**
 * Opens a model in a browser, or anywhere else that has `fetch`: reads its document, to look at it, to decide a run
 * (`resolveRun`), or to load it (`steer`). Weights are read when it is loaded.
 *
 * @param source URL of a model.json or of its folder, or a store of the caller's own
 * @throws SlothfulError `io`, `bad-model`, `bad-graph`
 */
export function openModel(source: string | ModelStore): Promise<OpenedModel> {
  return openModelOn(WEB_PLATFORM, source);
}
