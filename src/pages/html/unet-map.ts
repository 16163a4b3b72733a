import { coordinate, type Html, type HtmlPart, html, lines } from './html.ts';
import { layOutMap, type MapBox, type MapCell, type MapLayout, type MapSite } from './unet-map-layout.ts';

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

/** A site as the map shows it. */
export interface ShownSite extends MapSite {
  readonly channels: number;
  readonly grid: readonly number[] | null;
}

/** What the map needs besides the sites, and what stands around it. */
export interface MapSection {
  readonly title: string;
  /** Above the map: a slider, figures. */
  readonly controls?: Html;
  /** What the colours mean. */
  readonly legend: HtmlPart;
  /** What the map shows, for readers who do not see it. */
  readonly label: string;
  readonly look: (site: number) => CellLook;
}

/** Wider maps have the panel of the chosen site below, not beside. */
const MOST_BESIDE = 700;

/** The legend's entry for cross-attentions. */
export const CROSS_LEGEND = html`<span class="swatch" style="background:var(--cross)"></span>cross-attention.`;

/** The section with the UNet as a U, every site a cell that can be chosen, and the panel of the chosen site. */
export function mapSection(sites: readonly ShownSite[], section: MapSection): Html {
  const layout = layOutMap(sites);
  return html`<section class="figure"><h2>${section.title}</h2>
${section.controls}<p class="quiet">${section.legend} <span class="help">Arrow keys move between cells.</span></p>
<div class="side${layout.width > MOST_BESIDE ? ' wide' : ''}"><div class="scroll">${unetMap(layout, sites, section)}</div>
<div class="detail"><h2>Chosen site</h2><dl id="detail"></dl></div></div></section>`;
}

function unetMap(layout: MapLayout, sites: readonly ShownSite[], { label, look }: MapSection): Html {
  const { width, height, boxes } = layout;
  // Few sites make a small map: drawn larger where there is room.
  const size = html`viewBox="0 0 ${coordinate(width)} ${coordinate(height)}" style="width:min(100%, ${Math.round(width * 1.35)}px)"`;
  const parts = [...connections(layout), ...boxes.map((box) => boxMarkup(box, sites, look))];
  return html`<svg ${size} role="group" aria-label="${label}">${lines(parts)}</svg>`;
}

function boxMarkup(box: MapBox, sites: readonly ShownSite[], look: MapSection['look']): Html {
  const { x, y, width, height, cells } = box;
  const empty = cells.length ? '' : ' empty';
  return html`<rect class="box${empty}" x="${coordinate(x)}" y="${coordinate(y)}" width="${coordinate(width)}" height="${coordinate(height)}" rx="6"/><text class="quiet" x="${coordinate(x + 10)}" y="${coordinate(y + 15)}">${boxHead(box, sites)}</text>${cells.map((cell) => cellMarkup(cell, look(cell.site), sites[cell.site]?.kind === 'cross'))}`;
}

/** `output 1: 32 x 32, 640 ch` */
function boxHead({ block, level, cells }: MapBox, sites: readonly ShownSite[]): string {
  const site = sites[cells[0]?.site ?? -1];
  if (!site) return `${block} ${level}: no attention`;
  return `${block} ${level}: ${site.grid ? `${site.grid.join(' x ')}, ` : ''}${site.channels} ch`;
}

function cellMarkup({ site, x, y, width, height }: MapCell, look: CellLook, isCross: boolean): Html {
  const { label, shade, title, mark } = look;
  const classes = `cell${isCross ? ' cross' : ''}${mark ? ` ${mark}` : ''}`;
  const rect = html`<rect x="${coordinate(x)}" y="${coordinate(y)}" width="${width}" height="${height}" rx="3"/>`;
  const caption = html`<text x="${coordinate(x + width / 2)}" y="${coordinate(y + height / 2 + 4)}">${label}</text>`;
  return html`<g class="${classes}" style="--v:${coordinate(shade)}" data-site="${site}" tabindex="-1" role="button" aria-label="${title}"><title>${title}</title>${rect}${isCross ? '' : caption}</g>`;
}

/** The way down, through the middle and up, and the skips across. */
function connections({ boxes }: MapLayout): Html[] {
  const column = (block: string) => boxes.filter((box) => box.block === block).sort((a, b) => a.level - b.level);
  const inputs = column('input');
  const outputs = column('output');
  const [middle] = column('middle');
  const paths: Html[] = [];
  inputs.forEach((box, index) => {
    const next = inputs[index + 1];
    const other = outputs[index];
    if (next) paths.push(vertical(next.x + 14, box.y + box.height, next.y));
    if (other) paths.push(horizontal('skip', box.x + box.width, other.x, box.y + 11));
  });
  outputs.forEach((box, index) => {
    const next = outputs[index + 1];
    if (next) paths.push(vertical(next.x + next.width - 14, next.y, box.y + box.height));
  });
  const [last, first] = [inputs.at(-1), outputs.at(-1)];
  if (middle && last && first) {
    const y = middle.y + middle.height / 2;
    paths.push(
      elbow(last.x + 14, last.y + last.height, middle.x, y),
      elbowUp(middle.x + middle.width, y, first.x + first.width - 14, first.y + first.height),
    );
  }
  return paths;
}

function vertical(x: number, from: number, to: number): Html {
  const head = to > from ? 'l-4 -6m4 6l4 -6' : 'l-4 6m4 -6l4 6';
  return html`<path class="flow" d="M${coordinate(x)} ${coordinate(from)}V${coordinate(to)}${head}"/>`;
}

function horizontal(name: string, from: number, to: number, y: number): Html {
  return html`<path class="${name}" d="M${coordinate(from)} ${coordinate(y)}H${coordinate(to)}"/>`;
}

function elbow(x: number, y: number, toX: number, toY: number): Html {
  return html`<path class="flow" d="M${coordinate(x)} ${coordinate(y)}V${coordinate(toY)}H${coordinate(toX)}l-6 -4m6 4l-6 4"/>`;
}

function elbowUp(x: number, y: number, toX: number, toY: number): Html {
  return html`<path class="flow" d="M${coordinate(x)} ${coordinate(y)}H${coordinate(toX)}V${coordinate(toY)}l-4 6m4 -6l4 6"/>`;
}
