export { diffSiteTable, diffSummary, diffTables } from '../pages/diff-tables.ts';
export { diffPage } from '../pages/html/diff-page.ts';
export { inspectPage } from '../pages/html/inspect-page.ts';
export { planPage } from '../pages/html/plan-page.ts';
export { inspectSummary, inspectTables, siteTable } from '../pages/inspect-tables.ts';
export { planTables, siteStepTable } from '../pages/plan-tables.ts';
export { printCsv } from '../pages/print-csv.ts';
export { printMarkdown } from '../pages/print-markdown.ts';
export { printTable, printText } from '../pages/print-text.ts';
export { printDot } from '../pages/subgraph/dot.ts';
export type { Drawing } from '../pages/subgraph/extract.ts';
export { type DrawnModel, drawSites } from '../pages/subgraph/site-drawings.ts';
export { printSvg } from '../pages/subgraph/svg.ts';
export { type Cell, type Field, type Table, type TableColumn, tableOf } from '../pages/table.ts';
export { formatBytes, formatCount, formatFlops, formatValue, type Unit } from '../pages/units.ts';
export { type DiffModel, type DiffOptions, diffGraphs } from './diff.ts';
export { comparableWeights } from './diff-graph.ts';
export type { DiffReport, DiffSide, DiffSite, SiteChange, WeightComparison } from './diff-report.ts';
export { type InspectOptions, inspectGraph } from './inspect.ts';
export type { InspectReport, ReportShare, ReportSite, ReportSize } from './inspect-report.ts';
export { type PlanOptions, planGraph } from './plan.ts';
export type {
  PlanBackend,
  PlanReport,
  PlanSite,
  PlanStep,
  PlanTotals,
  Schedule,
  ScheduledStep,
} from './plan-report.ts';
export { attentionFlops, siteWidths } from './site-cost.ts';
export { pixelScale, type RunSize, resolveSize } from './size.ts';
export { isParameter } from './weights.ts';
