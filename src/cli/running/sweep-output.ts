import { printCsv, printTable } from '../../pages/index.ts';
import { encodePng } from '../../pictures/index.ts';
import {
  type Axis,
  type RunSource,
  type SweepRecord,
  type SweptCell,
  sweepPage,
  sweepRecord,
  sweepSheet,
  sweepTable,
} from '../../pipeline/index.ts';
import type { RunFolder } from './run-folder.ts';

const SHEET = 'sheet.png';
const PAGE = 'index.html';
const TABLE = 'measures.csv';

/** A sweep that is over, and where its files go. */
export interface FinishedSweep {
  readonly folder: RunFolder;
  readonly axes: { readonly x: Axis | undefined; readonly y: Axis | undefined };
  readonly cells: readonly SweptCell[];
  readonly stopped: boolean;
  readonly source: RunSource;
}

/**
 * Writes the sheet, the page, the table, and at the end sweep.json; of a sweep that was stopped before its first
 * combination the last alone.
 *
 * @throws SlothfulError `io`
 */
export async function writeSweep({ folder, axes, cells, stopped, source }: FinishedSweep): Promise<SweepRecord> {
  const { x, y } = axes;
  const given = [x, y].filter((axis) => axis !== undefined);
  const files = cells.length ? [SHEET, PAGE, TABLE] : [];
  const record = sweepRecord({ source, axes: given, cells, stopped, files });
  if (cells.length) {
    await folder.write(SHEET, encodePng(sweepSheet({ x, y, cells })));
    await folder.write(
      PAGE,
      sweepPage(
        record,
        cells,
        given.map(({ name }) => name),
      ),
    );
    await folder.write(TABLE, printCsv(sweepTable(record)));
  }
  await folder.finish(record);
  return record;
}

/** Prints the measures and where the sheet lies, or the record as JSON. */
export function printSweep(record: SweepRecord, { path, files }: RunFolder, json: boolean): void {
  if (json) {
    console.log(JSON.stringify({ folder: path, ...record }, null, 2));
    return;
  }
  if (record.cells.length) console.log(printTable(sweepTable(record)));
  console.log(`${path}: ${[...files, 'sweep.json'].join(', ')}`);
}
