import { coordinate, escapeHtml } from './markup.ts';

/** One row of a heat map: a group of sites that do the same at every step. */
export interface HeatRow {
  readonly name: string;
  readonly cells: readonly { readonly shade: number; readonly label: string; readonly title: string }[];
}

const ROW = 24;
const NAME = 190;
const WIDTH = 940;
const HEAD = 18;
const LEAST_FOR_TEXT = 30;

/** The whole run at a glance, a row a group of sites and a column a step: for paper, and for readers without scripts. */
export function heatmap(label: string, rows: readonly HeatRow[]): string {
  const count = Math.max(1, ...rows.map(({ cells }) => cells.length));
  const width = (WIDTH - NAME) / count;
  const every = Math.max(1, Math.ceil(count / 25));
  const heads = Array.from({ length: count }, (_, step) => step)
    .filter((step) => step % every === 0)
    .map(
      (step) =>
        `<text class="quiet" text-anchor="middle" x="${coordinate(NAME + (step + 0.5) * width)}" y="12">${step + 1}</text>`,
    );
  const body = rows.map(({ name, cells }, index) => {
    const y = HEAD + index * ROW;
    const text = `<text x="0" y="${y + 16}">${escapeHtml(name)}</text>`;
    return text + cells.map((cell, step) => cellMarkup(cell, NAME + step * width, y, width)).join('');
  });
  const height = HEAD + rows.length * ROW;
  return `<svg class="heat" viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="${escapeHtml(label)}">${heads.join('')}${body.join('\n')}</svg>`;
}

function cellMarkup(cell: HeatRow['cells'][number], x: number, y: number, width: number): string {
  const rect = `<rect x="${coordinate(x)}" y="${y}" width="${coordinate(width)}" height="${ROW - 2}" style="--v:${coordinate(cell.shade)}"><title>${escapeHtml(cell.title)}</title></rect>`;
  if (width < LEAST_FOR_TEXT) return rect;
  return `${rect}<text text-anchor="middle" pointer-events="none" x="${coordinate(x + width / 2)}" y="${y + 15}">${escapeHtml(cell.label)}</text>`;
}
