/**
 * What a program, the command line and a page in a browser share: open a model, decide a run, load it with what steers
 * it, run it, keep a record. What reads and writes files is in the room of jobs.
 */
import { type ModelSource, WEB_PLATFORM } from '../runtime/index.ts';
import { type OpenedModel, openModelOn } from './open-model.ts';

export { checkGivenBeside, isBesideTensor, type TakenBeside, takenBeside, withoutBeside } from './beside-sample.ts';
export { checkEvaluation, type Evaluation } from './check-work.ts';
export { isComfyui, type SamplerChoice } from './choose-sampler.ts';
export {
  bothHalves,
  type Conditioner,
  inputOfTensor,
  isImageEmbeds,
  promptConditioning,
  tensorConditioning,
  withImageEmbeds,
  withTimeIds,
} from './conditioning.ts';
export { DECODERS, type DecoderName, type DecoderPart, type Drawing, type Drawn, decoderOf } from './draw.ts';
export {
  type ComparedOutcomes,
  type ComparedTask,
  compareRuns,
  executeRun,
  type RunHalf,
  type RunOutcome,
  type RunTask,
} from './execute.ts';
export type { Phase, PhaseName } from './load-parts.ts';
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
  chainFlopsOf,
  firstSteps,
  planRun,
  type RunPlan,
  type RunPlanOptions,
} from './plan-run.ts';
export {
  type ResolvedRun,
  type RunChoices,
  requestOf,
  resolveParameters,
  resolveRun,
  resolveTold,
} from './resolve-run.ts';
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
export {
  type DenoisedRun,
  type FinishedRun,
  type NextRun,
  type PipelineNoise,
  type PipelineRun,
  resolvePipeline,
  runPipeline,
} from './run-pipeline.ts';
export { runRecord, totalMilliseconds } from './run-record.ts';
export {
  completeSettings,
  evaluatedBatch,
  evaluatedParts,
  isGuidedRun,
  type RunRequest,
  type ScheduleChoice,
  scheduleOf,
  stepsDone,
} from './settings.ts';
export { type JobProgress, type PipelineSetup, PipelineStages } from './stages.ts';
export { checkMask, latentMask, type RunStart, type StartImage, startChoices, usualStrength } from './start-image.ts';
export {
  type Companions,
  type ControlNetChoice,
  type SteeredUNet,
  type SteerOptions,
  steer,
} from './steer.ts';
export { executedSite, type PatchInForce } from './step-record.ts';
export { clipTextEncoder } from './text-encoder.ts';
export {
  encoderSource,
  type LoadPart,
  type PromptChoice,
  type TextFacts,
  type TextSource,
  tableSource,
  tensorSource,
} from './text-source.ts';

/**
 * Opens a model in a browser, or anywhere else that has `fetch`: reads its document, to look at it, to decide a run
 * (`resolveRun`), or to load it (`steer`). Weights are read when it is loaded.
 *
 * @param source URL of a model.json, of its folder or of a pipeline's, or a store of the caller's own
 * @throws SlothfulError `io`, `bad-model`, `bad-graph`
 */
export function openModel(source: ModelSource): Promise<OpenedModel> {
  return openModelOn(WEB_PLATFORM, source);
}
