/** Combinations of parameters: which there are, running them, their sheet and their record. Files: `node.ts`. */
export { type Axis, type AxisValue, type CellChange, parseAxis } from './axis.ts';
export {
  type DenoisedCell,
  type DrawRuns,
  drawCells,
  type SweepTask,
  type SweptCell,
  type SweptRun,
  sweep,
} from './sweep.ts';
export { plainKey, type SweepBase, type SweepCell, sweepCells } from './sweep-plan.ts';
export { SWEEP_DOCUMENT, type SweepRecord, sweepRecord, sweepTable } from './sweep-record.ts';
export { type SweptGrid, sweepSheet } from './sweep-sheet.ts';
