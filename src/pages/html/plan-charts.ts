import { formatValue, type Unit } from '../units.ts';
import { coordinate, type Html, html, lines } from './html.ts';

/** Two curves over the steps of a run: the unpatched model's, and the patched one's. */
export interface StepPlot {
  readonly title: string;
  readonly unit: Unit;
  readonly plain: readonly number[];
  readonly patched: readonly number[];
}

const SIZE = { width: 440, height: 210 };
const INNER = { left: 78, right: 14, top: 26, bottom: 34 };
const TICKS = 4;

/** Curves as steps, since nothing happens between two of them. The accent line is the step that the slider is at. */
export function stepPlot({ title, unit, plain, patched }: StepPlot): Html {
  const count = Math.max(plain.length, patched.length, 1);
  const most = niceCeiling(Math.max(...plain, ...patched, 1e-9));
  const [width, height] = [SIZE.width - INNER.left - INNER.right, SIZE.height - INNER.top - INNER.bottom];
  const x = (step: number) => INNER.left + (width * step) / count;
  const y = (value: number) => INNER.top + height * (1 - value / most);
  const curve = (values: readonly number[]) =>
    values
      .map((value, step) => `${step ? 'V' : `M${coordinate(x(0))} `}${coordinate(y(value))}H${coordinate(x(step + 1))}`)
      .join('');
  const floor = coordinate(y(0));
  const area = patched.length ? `${curve(patched)}V${floor}H${coordinate(x(0))}Z` : '';
  const range = `${coordinate(x(0.5))} ${coordinate(width / count)}`;
  const label = `${title}: ${spanText(plain, unit)} plain, ${spanText(patched, unit)} patched`;
  return html`<svg viewBox="0 0 ${SIZE.width} ${SIZE.height}" role="img" aria-label="${label}">
<text x="${INNER.left}" y="15" font-weight="600">${title}</text>
${yTicks(most, unit, y)}${xTicks(count, x)}
<path class="area" d="${area}"/><path class="plain" d="${curve(plain)}"/><path class="patched" d="${curve(patched)}"/>
<line class="now" data-range="${range}" x1="${coordinate(x(0.5))}" x2="${coordinate(x(0.5))}" y1="${INNER.top}" y2="${floor}"/>
</svg>`;
}

/** What the colours of the plots mean. */
export const PLOT_LEGEND = html`<p class="quiet"><svg width="34" height="10" style="display:inline"><path class="plain" d="M0 5H34"/></svg> plain
<svg width="34" height="10" style="display:inline;margin-left:1rem"><path class="patched" d="M0 5H34"/></svg> patched</p>`;

function yTicks(most: number, unit: Unit, y: (value: number) => number): Html[] {
  return Array.from({ length: TICKS + 1 }, (_, index) => {
    const value = (most * index) / TICKS;
    const at = coordinate(y(value));
    const line = html`<line class="grid" x1="${INNER.left}" x2="${SIZE.width - INNER.right}" y1="${at}" y2="${at}"/>`;
    const text = value === 0 ? '0' : formatValue(value, unit);
    return html`${line}<text class="quiet" text-anchor="end" x="${INNER.left - 6}" y="${coordinate(y(value) + 4)}">${text}</text>`;
  });
}

function xTicks(count: number, x: (step: number) => number): Html {
  const every = Math.max(1, Math.ceil(count / 10));
  const y = SIZE.height - INNER.bottom + 15;
  const steps = Array.from({ length: count }, (_, step) => step).filter((step) => step % every === 0);
  const marks = steps.map(
    (step) =>
      html`<text class="quiet" text-anchor="middle" x="${coordinate(x(step + 0.5))}" y="${y}">${step + 1}</text>`,
  );
  return html`${marks}<text class="quiet" text-anchor="end" x="${SIZE.width - INNER.right}" y="${SIZE.height - 4}">step</text>`;
}

function spanText(values: readonly number[], unit: Unit): string {
  const [low, high] = [Math.min(...values), Math.max(...values)];
  return low === high ? formatValue(low, unit) : `${formatValue(low, unit)} to ${formatValue(high, unit)}`;
}

/** The next number that its quarters are short for: 1, 1.2, 1.6, 2, 2.4, 3.2, 4, 6 or 8 times a power of ten. */
function niceCeiling(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value));
  const factor = [1, 1.2, 1.6, 2, 2.4, 3.2, 4, 6, 8, 10].find((each) => each * power >= value * 0.9999) ?? 10;
  return factor * power;
}

/** One row of a heat map: a group of sites that do the same at every step. */
export interface HeatRow {
  readonly name: string;
  readonly cells: readonly { readonly shade: number; readonly label: string; readonly title: string }[];
}

const HEAT = { row: 24, name: 190, width: 940, head: 18, leastForText: 30 };

/** The whole run at a glance, a row a group of sites and a column a step: for paper, and for readers without scripts. */
export function heatmap(label: string, rows: readonly HeatRow[]): Html {
  const count = Math.max(1, ...rows.map(({ cells }) => cells.length));
  const width = (HEAT.width - HEAT.name) / count;
  const every = Math.max(1, Math.ceil(count / 25));
  const heads = Array.from({ length: count }, (_, step) => step)
    .filter((step) => step % every === 0)
    .map(
      (step) =>
        html`<text class="quiet" text-anchor="middle" x="${coordinate(HEAT.name + (step + 0.5) * width)}" y="12">${step + 1}</text>`,
    );
  const body = rows.map(({ name, cells }, index) => {
    const y = HEAT.head + index * HEAT.row;
    const marks = cells.map((cell, step) => heatCell(cell, HEAT.name + step * width, y, width));
    return html`<text x="0" y="${y + 16}">${name}</text>${marks}`;
  });
  const height = HEAT.head + rows.length * HEAT.row;
  return html`<svg class="heat" viewBox="0 0 ${HEAT.width} ${height}" role="img" aria-label="${label}">${heads}${lines(body)}</svg>`;
}

function heatCell(cell: HeatRow['cells'][number], x: number, y: number, width: number): Html {
  const rect = html`<rect x="${coordinate(x)}" y="${y}" width="${coordinate(width)}" height="${HEAT.row - 2}" style="--v:${coordinate(cell.shade)}"><title>${cell.title}</title></rect>`;
  if (width < HEAT.leastForText) return rect;
  return html`${rect}<text text-anchor="middle" pointer-events="none" x="${coordinate(x + width / 2)}" y="${y + 15}">${cell.label}</text>`;
}
