import { coordinate, escapeHtml } from '../html/markup.ts';
import { labelOf } from './dot.ts';
import type { Drawing, DrawnNode, Role } from './extract.ts';
import { layOut, type Spot } from './layers.ts';

const BOX = { width: 168, line: 13, pad: 5 };
const STEP = { column: 184, layer: 78 };
const HEAD = 26;
const MARGIN = 12;
const GAP = 40;
/** Height of a layer that an edge passes straight. */
const PASSED = 50;

interface Point {
  readonly x: number;
  readonly y: number;
}

/** Light and dark by the reader's preference, in the file itself. */
const STYLE = `.sub text{font:11px system-ui,sans-serif;text-anchor:middle;fill:#1c2329}.sub .title{font-weight:600;font-size:13px}
.sub rect{fill:#fff;stroke:#5a6670}.sub .weight rect{fill:#ece6d8;stroke:#b9ae93}.sub .input rect{fill:none;stroke:none}
.sub .after rect{stroke-dasharray:4 3}.sub .node-slothful rect{fill:#bfe9e3;stroke:#0b7f74}.sub path{fill:none;stroke:#8994a0}
@media (prefers-color-scheme:dark){.sub text{fill:#e4e9ee}.sub rect{fill:#1b2026;stroke:#a0acb7}.sub .weight rect{fill:#3a352a;stroke:#6d6450}
.sub .node-slothful rect{fill:#0d4b45;stroke:#3fc7b8}.sub path{stroke:#6b7783}}`;

/** Drawings side by side as one SVG document. */
export function printSvg(drawings: readonly Drawing[]): string {
  let x = MARGIN;
  let height = 0;
  const parts = drawings.map((drawing) => {
    const { markup, ...size } = drawOne(drawing);
    const group = `<g transform="translate(${coordinate(x)} ${MARGIN})">${markup}</g>`;
    x += size.width + GAP;
    height = Math.max(height, size.height);
    return group;
  });
  const [w, h] = [coordinate(x - GAP + MARGIN), coordinate(height + 2 * MARGIN)];
  const label = escapeHtml(drawings.map(({ title }) => title).join('; '));
  return `<svg xmlns="http://www.w3.org/2000/svg" class="sub" viewBox="0 0 ${w} ${h}" width="${w}" height="${h}" role="img" aria-label="${label}"><style>${STYLE}</style>\n${parts.join('\n')}\n</svg>\n`;
}

function drawOne(drawing: Drawing): { markup: string; width: number; height: number } {
  const { nodes, paths } = layOut(drawing);
  const spots = [...nodes.values(), ...paths.flat()];
  const left = Math.min(0, ...spots.map(({ column }) => column));
  const right = Math.max(0, ...spots.map(({ column }) => column));
  const layers = Math.max(0, ...spots.map(({ layer }) => layer)) + 1;
  const width = (right - left) * STEP.column + BOX.width;
  const point = ({ column, layer }: Spot): Point => ({
    x: (column - left) * STEP.column + BOX.width / 2,
    y: HEAD + layer * STEP.layer,
  });
  const heights = new Map(drawing.nodes.map((node) => [node.name, heightOf(node)] as const));
  const edges = paths.map((path, index) =>
    edgeMarkup(path.map(point), heights.get(drawing.edges[index]?.[0] ?? '') ?? 0),
  );
  const boxes = drawing.nodes.map((node) => nodeMarkup(node, point(nodes.get(node.name) ?? { column: 0, layer: 0 })));
  const title = `<text class="title" x="${coordinate(width / 2)}" y="13">${escapeHtml(drawing.title)}</text>`;
  return { markup: [title, ...edges, ...boxes].join('\n'), width, height: HEAD + layers * STEP.layer };
}

/** A curve from layer to layer, upright at each of them; in the layers that it passes it is a straight line. */
function edgeMarkup(points: readonly Point[], startHeight: number): string {
  const [first = { x: 0, y: 0 }, ...rest] = points;
  let path = `M${coordinate(first.x)} ${coordinate(first.y + startHeight)}`;
  let from = { x: first.x, y: first.y + startHeight };
  rest.forEach((to, index) => {
    const middle = coordinate((from.y + to.y) / 2);
    path += `C${coordinate(from.x)} ${middle} ${coordinate(to.x)} ${middle} ${coordinate(to.x)} ${coordinate(to.y)}`;
    const isBend = index < rest.length - 1;
    from = isBend ? { x: to.x, y: to.y + PASSED } : to;
    if (isBend) path += `V${coordinate(from.y)}`;
  });
  return `<path d="${path}"/>`;
}

function heightOf(node: DrawnNode): number {
  return labelOf(node).length * BOX.line + 2 * BOX.pad;
}

function nodeMarkup(node: DrawnNode, { x, y }: Point): string {
  const lines = labelOf(node).map((line, index) => {
    const at = coordinate(y + BOX.pad + (index + 1) * BOX.line - 3);
    return `<text x="${coordinate(x)}" y="${at}">${escapeHtml(shorten(line))}</text>`;
  });
  const rect = `<rect x="${coordinate(x - BOX.width / 2)}" y="${coordinate(y)}" width="${BOX.width}" height="${heightOf(node)}" rx="4"/>`;
  return `<g class="${classOf(node.op, node.role)}"><title>${escapeHtml(node.name)}</title>${rect}${lines.join('')}</g>`;
}

function classOf(op: string, role: Role): string {
  return op === 'SlothfulAttention' ? `${role} node-slothful` : role;
}

/** The end of a name tells more than its start. */
function shorten(text: string): string {
  return text.length > 27 ? `...${text.slice(-25)}` : text;
}
