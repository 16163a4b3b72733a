export { type DiffModel, type DiffOptions, diffGraphs } from './diff.ts';
export { comparableWeights } from './diff-graph.ts';
export {
  DIFF_REPORT,
  type DiffReport,
  type DiffSide,
  type DiffSite,
  type SiteChange,
  type WeightComparison,
} from './diff-report.ts';
export { type GraphFlops, graphFlops } from './flops.ts';
export { type InspectOptions, inspectGraph } from './inspect.ts';
export {
  INSPECT_REPORT,
  type InspectReport,
  type ReportEndpoint,
  type ReportShare,
  type ReportSite,
} from './inspect-report.ts';
export { pictureInput, textInput } from './model-inputs.ts';
export { type PlanOptions, planGraph } from './plan.ts';
export {
  PLAN_REPORT,
  type PlanBackend,
  type PlanReport,
  type PlanSite,
  type PlanStep,
  type PlanTotals,
  type Schedule,
  type ScheduledStep,
} from './plan-report.ts';
export type { ReportSize } from './report-parts.ts';
export { attentionFlops, siteWidths } from './site-cost.ts';
export { type Drawing, type DrawnModel, type DrawnNode, drawSites, type NodeRole } from './site-drawing.ts';
export { pixelScale, type RunSize, resolveSize } from './size.ts';
export { isParameter } from './weights.ts';
