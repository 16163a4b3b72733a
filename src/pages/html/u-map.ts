import { coordinate, escapeHtml } from './markup.ts';
import { layOutMap, type MapBox, type MapLayout, type MapSite } from './u-layout.ts';

/** What a cell shows. */
export interface CellLook {
  /** A few letters. */
  readonly label: string;
  /** 0 to 1, from cold to hot. */
  readonly shade: number;
  /** In words, for a tooltip and for readers who do not see the map. */
  readonly title: string;
  /** `added`, `removed`, `changed`: in the place of the shade. */
  readonly mark?: string | undefined;
}

/** What the map needs besides the sites. */
export interface MapOptions {
  readonly label: string;
  readonly look: (site: number) => CellLook;
  /** The line at the head of a box. */
  readonly headOf: (box: MapBox) => string;
}

const NAMES = { input: 'input', middle: 'middle', output: 'output' } as const;

/** The UNet drawn as a U, every site a cell that can be chosen. */
export function uMap(sites: readonly MapSite[], options: MapOptions): string {
  const layout = layOutMap(sites);
  const { width, height, boxes } = layout;
  // Few sites make a small map: drawn larger where there is room.
  const size = `viewBox="0 0 ${coordinate(width)} ${coordinate(height)}" style="width:min(100%, ${Math.round(width * 1.35)}px)"`;
  const parts = [...connections(layout), ...boxes.map((box) => boxMarkup(box, sites, options))];
  return `<svg ${size} role="group" aria-label="${escapeHtml(options.label)}">${parts.join('\n')}</svg>`;
}

function boxMarkup(box: MapBox, sites: readonly MapSite[], { look, headOf }: MapOptions): string {
  const { x, y, width, height, cells, block } = box;
  const empty = cells.length ? '' : ' empty';
  const frame = `<rect class="box${empty}" x="${coordinate(x)}" y="${coordinate(y)}" width="${coordinate(width)}" height="${coordinate(height)}" rx="6"/>`;
  const head = cells.length ? headOf(box) : `${NAMES[block]} ${box.level}: no attention`;
  const text = `<text class="quiet" x="${coordinate(x + 10)}" y="${coordinate(y + 15)}">${escapeHtml(head)}</text>`;
  const drawn = cells.map((cell) => {
    const { label, shade, title, mark } = look(cell.site);
    const site = sites[cell.site];
    const kind = site?.kind === 'cross' ? ' cross' : '';
    const rect = `<rect x="${coordinate(cell.x)}" y="${coordinate(cell.y)}" width="${cell.width}" height="${cell.height}" rx="3"/>`;
    const caption = `<text x="${coordinate(cell.x + cell.width / 2)}" y="${coordinate(cell.y + cell.height / 2 + 4)}">${escapeHtml(label)}</text>`;
    const style = ` style="--v:${coordinate(shade)}"`;
    const classes = `cell${kind}${mark ? ` ${mark}` : ''}`;
    return `<g class="${classes}"${style} data-site="${cell.site}" tabindex="-1" role="button" aria-label="${escapeHtml(title)}"><title>${escapeHtml(title)}</title>${rect}${kind ? '' : caption}</g>`;
  });
  return [frame, text, ...drawn].join('');
}

/** The way down, through the middle and up, and the skips across. */
function connections({ boxes }: MapLayout): string[] {
  const column = (block: string) => boxes.filter((box) => box.block === block).sort((a, b) => a.level - b.level);
  const inputs = column('input');
  const outputs = column('output');
  const [middle] = column('middle');
  const lines: string[] = [];
  inputs.forEach((box, index) => {
    const next = inputs[index + 1];
    const other = outputs[index];
    if (next) lines.push(vertical(next.x + 14, box.y + box.height, next.y));
    if (other) lines.push(horizontal('skip', box.x + box.width, other.x, box.y + 11));
  });
  outputs.forEach((box, index) => {
    const next = outputs[index + 1];
    if (next) lines.push(vertical(next.x + next.width - 14, next.y, box.y + box.height));
  });
  const [last, first] = [inputs.at(-1), outputs.at(-1)];
  if (middle && last && first) {
    const y = middle.y + middle.height / 2;
    lines.push(
      elbow(last.x + 14, last.y + last.height, middle.x, y),
      elbowUp(middle.x + middle.width, y, first.x + first.width - 14, first.y + first.height),
    );
  }
  return lines;
}

function vertical(x: number, from: number, to: number): string {
  const head = to > from ? `l-4 -6m4 6l4 -6` : `l-4 6m4 -6l4 6`;
  return `<path class="flow" d="M${coordinate(x)} ${coordinate(from)}V${coordinate(to)}${head}"/>`;
}

function horizontal(name: string, from: number, to: number, y: number): string {
  return `<path class="${name}" d="M${coordinate(from)} ${coordinate(y)}H${coordinate(to)}"/>`;
}

function elbow(x: number, y: number, toX: number, toY: number): string {
  return `<path class="flow" d="M${coordinate(x)} ${coordinate(y)}V${coordinate(toY)}H${coordinate(toX)}l-6 -4m6 4l-6 4"/>`;
}

function elbowUp(x: number, y: number, toX: number, toY: number): string {
  return `<path class="flow" d="M${coordinate(x)} ${coordinate(y)}H${coordinate(toX)}V${coordinate(toY)}l-4 6m4 -6l4 6"/>`;
}
