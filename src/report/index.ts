export { type InspectOptions, inspectGraph } from './inspect.ts';
export type { InspectReport, ReportShare, ReportSite, ReportSize } from './inspect-report.ts';
export { inspectSummary, inspectTables, siteTable } from './inspect-tables.ts';
export { printCsv } from './print-csv.ts';
export { printMarkdown } from './print-markdown.ts';
export { printTable, printText } from './print-text.ts';
export { pixelScale, type RunSize } from './size.ts';
export type { Cell, Table, TableColumn } from './table.ts';
export { formatBytes, formatCount, formatFlops, formatValue, type Unit } from './units.ts';
