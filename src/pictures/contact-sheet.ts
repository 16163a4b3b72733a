import type { Picture } from '../sampling/index.ts';
import { enlarge, GAP, paste } from './compose.ts';
import { drawText, textHeight, textWidth, wrapText } from './text.ts';

/** Widest that the labels of rows get, in pixels. */
const LABEL_WIDTH = 144;
const SCALE = 2;

/** One row of a contact sheet; an absent picture leaves its place empty. */
export interface SheetRow {
  readonly label?: string | undefined;
  readonly pictures: ReadonlyArray<Picture | undefined>;
}

/** Pictures in rows and columns, and what is written beside them. */
export interface SheetContent {
  readonly title?: string | undefined;
  /** Above the columns. */
  readonly columns?: readonly string[] | undefined;
  readonly rows: readonly SheetRow[];
}

/**
 * One white picture with labelled rows and columns of pictures, all enlarged by one whole factor, pixel by pixel.
 *
 * @param side about how wide a picture shall become, in pixels
 */
export function contactSheet(content: SheetContent, side = 192): Picture {
  const cell = cellOf(content, side);
  const layout = layoutOf(content, cell);
  const made = blank(layout.width, layout.height);
  drawText(made, layout.title, { left: GAP, top: GAP, scale: SCALE });
  layout.columns.forEach((lines, column) => {
    const top = layout.rowTop(0) - GAP - textHeight(lines, SCALE);
    drawText(made, lines, { left: layout.columnLeft(column), top, scale: SCALE, width: cell.width });
  });
  layout.labels.forEach((lines, row) => {
    const top = layout.rowTop(row) + Math.max(0, Math.floor((cell.height - textHeight(lines, SCALE)) / 2));
    drawText(made, lines, { left: GAP, top, scale: SCALE });
  });
  content.rows.forEach(({ pictures }, row) => {
    pictures.forEach((picture, column) => {
      if (picture) paste(made, enlarge(picture, cell.factor), layout.columnLeft(column), layout.rowTop(row));
    });
  });
  return made;
}

interface SheetCell {
  readonly width: number;
  readonly height: number;
  readonly factor: number;
}

/** Room for the largest picture, enlarged. */
function cellOf({ rows }: SheetContent, side: number): SheetCell {
  const pictures = rows.flatMap((row) => row.pictures).filter((picture) => picture !== undefined);
  const width = Math.max(1, ...pictures.map((picture) => picture.width));
  const height = Math.max(1, ...pictures.map((picture) => picture.height));
  const factor = Math.max(1, Math.round(side / Math.max(width, height)));
  return { width: width * factor, height: height * factor, factor };
}

function layoutOf(content: SheetContent, cell: SheetCell) {
  const count = Math.max(1, ...content.rows.map(({ pictures }) => pictures.length));
  const columns = (content.columns ?? []).map((label) => wrapText(label, cell.width, SCALE));
  const labels = content.rows.map(({ label = '' }) => wrapText(label, LABEL_WIDTH, SCALE));
  const labelWidth = Math.max(0, ...labels.flat().map((line) => textWidth(line, SCALE)));
  const left = labelWidth ? 2 * GAP + labelWidth : GAP;
  const width = left + count * (cell.width + GAP);
  const title = wrapText(content.title ?? '', width - 2 * GAP, SCALE);
  const above = (lines: readonly string[], gap: number) => (lines.length ? textHeight(lines, SCALE) + gap : 0);
  const top = GAP + above(title, 2 * GAP) + above(longest(columns), GAP);
  const rowTop = (row: number) => top + row * (cell.height + GAP);
  const columnLeft = (column: number) => left + column * (cell.width + GAP);
  return { title, columns, labels, width, height: rowTop(content.rows.length), rowTop, columnLeft };
}

function longest(labels: readonly (readonly string[])[]): readonly string[] {
  return labels.reduce((most, lines) => (lines.length > most.length ? lines : most), []);
}

function blank(width: number, height: number): Picture {
  return { width, height, rgba: new Uint8ClampedArray(width * height * 4).fill(255) };
}
