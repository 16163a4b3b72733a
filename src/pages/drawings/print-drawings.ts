import type { Drawing, DrawnNode, NodeRole } from '../../reports/index.ts';
import { coordinate, Html, html, lines } from '../html/html.ts';
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
  return svgOf(drawings).markup;
}

/** Drawings of one site as a section of a page; nothing where there are none. */
export function drawingSection(drawings: readonly Drawing[]): Html[] {
  const [first] = drawings;
  if (!first) return [];
  const [site] = first.title.split(' ');
  return [html`<section class="figure"><h2>Site ${site}</h2><div class="scroll">${svgOf(drawings)}</div></section>`];
}

function svgOf(drawings: readonly Drawing[]): Html {
  let x = MARGIN;
  let height = 0;
  const parts = drawings.map((drawing) => {
    const { markup, ...size } = drawOne(drawing);
    const group = html`<g transform="translate(${coordinate(x)} ${MARGIN})">${markup}</g>`;
    x += size.width + GAP;
    height = Math.max(height, size.height);
    return group;
  });
  const [w, h] = [coordinate(x - GAP + MARGIN), coordinate(height + 2 * MARGIN)];
  const label = drawings.map(({ title }) => title).join('; ');
  return html`<svg xmlns="http://www.w3.org/2000/svg" class="sub" viewBox="0 0 ${w} ${h}" width="${w}" height="${h}" role="img" aria-label="${label}"><style>${new Html(STYLE)}</style>
${lines(parts)}
</svg>
`;
}

function drawOne(drawing: Drawing): { markup: Html; width: number; height: number } {
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
  const title = html`<text class="title" x="${coordinate(width / 2)}" y="13">${drawing.title}</text>`;
  return { markup: lines([title, ...edges, ...boxes]), width, height: HEAD + layers * STEP.layer };
}

/** A curve from layer to layer, upright at each of them; in the layers that it passes it is a straight line. */
function edgeMarkup(points: readonly Point[], startHeight: number): Html {
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
  return html`<path d="${path}"/>`;
}

function heightOf(node: DrawnNode): number {
  return labelOf(node).length * BOX.line + 2 * BOX.pad;
}

function nodeMarkup(node: DrawnNode, { x, y }: Point): Html {
  const text = labelOf(node).map((line, index) => {
    const at = coordinate(y + BOX.pad + (index + 1) * BOX.line - 3);
    return html`<text x="${coordinate(x)}" y="${at}">${shorten(line)}</text>`;
  });
  const rect = html`<rect x="${coordinate(x - BOX.width / 2)}" y="${coordinate(y)}" width="${BOX.width}" height="${heightOf(node)}" rx="4"/>`;
  return html`<g class="${classOf(node.op, node.role)}"><title>${node.name}</title>${rect}${text}</g>`;
}

function classOf(op: string, role: NodeRole): string {
  return op === 'SlothfulAttention' ? `${role} node-slothful` : role;
}

/** The end of a name tells more than its start. */
function shorten(text: string): string {
  return text.length > 27 ? `...${text.slice(-25)}` : text;
}

const LOOKS: Readonly<Record<NodeRole, string>> = {
  inside: 'shape=box, style=rounded',
  input: 'shape=plain, fontcolor="#555555"',
  weight: 'shape=box, style=filled, fillcolor="#ece6d8"',
  after: 'shape=box, style="rounded,dashed"',
};

/** Drawings as one Graphviz digraph, a cluster each. */
export function printDot(drawings: readonly Drawing[]): string {
  const clusters = drawings.map((drawing, index) => cluster(drawing, index));
  return `digraph slothful {\n  node [fontname="sans-serif", fontsize=10];\n${clusters.join('\n')}\n}\n`;
}

function cluster({ title, nodes, edges }: Drawing, index: number): string {
  const id = (name: string) => quote(`${index}/${name}`);
  const lines = [
    `  subgraph cluster_${index} {`,
    `    label=${quote(title)};`,
    ...nodes.map((node) => `    ${id(node.name)} [label=${quote(labelOf(node).join('\n'))}, ${LOOKS[node.role]}];`),
    ...edges.map(([from, to]) => `    ${id(from)} -> ${id(to)};`),
    '  }',
  ];
  return lines.join('\n');
}

/** What is written on a node: its op, the end of its name, and its shape. */
function labelOf({ name, op, role, shape }: DrawnNode): string[] {
  const size = shape ? [`[${shape.join(', ')}]`] : [];
  const short = /(?:[^/]+\/)?(?:\d+\/)?[^/]+$/.exec(name)?.[0] ?? name;
  return role === 'weight' || role === 'input' ? [short, ...size] : [op, short, ...size];
}

function quote(text: string): string {
  return `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')}"`;
}
