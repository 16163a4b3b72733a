import type { ReportSite } from '../../reports/index.ts';

type Block = ReportSite['block'];

/** A site as the map needs it. */
export interface MapSite {
  readonly id: string;
  readonly kind: 'self' | 'cross';
  readonly block: Block;
  readonly level: number;
}

/** A cell of the map: where it is, and which site it shows. */
export interface MapCell {
  /** Number of the site in the list that the map was made of. */
  readonly site: number;
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** A box of the map: the attentions of one block and level, or none. */
export interface MapBox {
  readonly block: Block;
  readonly level: number;
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
  readonly cells: readonly MapCell[];
}

export interface MapLayout {
  readonly width: number;
  readonly height: number;
  readonly boxes: readonly MapBox[];
}

const CELL = { width: 40, self: 26, cross: 9, gap: 5 };
const PAD = { side: 10, top: 22, bottom: 8 };
const MOST_A_LINE = 10;
const INDENT = 26;
const MARGIN = 8;
const BETWEEN = { rows: 22, columns: 96 };
const LEAST_WIDTH = 164;

/** A box at the origin. */
type LooseBox = Omit<MapBox, 'x' | 'y'>;

/**
 * Lays a UNet out as a U: input blocks down the left, the middle at the bottom, output blocks up the right, a row a
 * level. Every self-attention is a cell with its cross-attentions as strips beneath.
 */
export function layOutMap(sites: readonly MapSite[]): MapLayout {
  const levels = levelsOf(sites);
  const rows = levels.map((level) => ({
    left: looseBox(sites, 'input', level),
    right: looseBox(sites, 'output', level),
  }));
  const column = Math.max(
    ...rows.flatMap(({ left, right }, row) => [left.width, right.width].map((w) => w + row * INDENT)),
  );
  const width = 2 * column + BETWEEN.columns + 2 * MARGIN;
  const boxes: MapBox[] = [];
  let y = MARGIN;
  rows.forEach(({ left, right }, row) => {
    boxes.push(placed(left, MARGIN + row * INDENT, y));
    boxes.push(placed(right, width - MARGIN - row * INDENT - right.width, y));
    y += Math.max(left.height, right.height) + BETWEEN.rows;
  });
  const middleLevel = sites.find(({ block }) => block === 'middle')?.level ?? levels.at(-1) ?? 0;
  const middle = looseBox(sites, 'middle', middleLevel);
  boxes.push(placed(middle, (width - middle.width) / 2, y));
  return { width, height: y + middle.height + MARGIN, boxes };
}

/** Levels that are drawn without an attention of their own. */
const MOST_EMPTY = 16;

/** From the shallowest to the deepest; past what a UNet can have only those that have attentions, whatever is claimed. */
function levelsOf(sites: readonly MapSite[]): number[] {
  const own = new Set(sites.map(({ level }) => level));
  const usual = Array.from({ length: MOST_EMPTY }, (_, level) => level).filter((level) => level <= Math.max(0, ...own));
  return [...new Set([...usual, ...own])].sort((a, b) => a - b);
}

function placed(box: LooseBox, x: number, y: number): MapBox {
  return { ...box, x, y, cells: box.cells.map((cell) => ({ ...cell, x: cell.x + x, y: cell.y + y })) };
}

function looseBox(sites: readonly MapSite[], block: Block, level: number): LooseBox {
  const own = sites.flatMap((site, index) =>
    site.block === block && site.level === level ? [{ ...site, index }] : [],
  );
  const lines = linesOf(own.filter(({ kind }) => kind === 'self' || own.every((site) => site.kind === 'cross')));
  const cells: MapCell[] = [];
  let y = PAD.top;
  for (const line of lines) {
    let deepest = 0;
    line.forEach((site, column) => {
      const x = PAD.side + column * (CELL.width + CELL.gap);
      cells.push({ site: site.index, x, y, width: CELL.width, height: CELL.self });
      const crosses = own.filter(
        ({ kind, id }) => kind === 'cross' && id !== site.id && id.startsWith(`${site.id}.cross`),
      );
      crosses.forEach((cross, index) => {
        const top = y + CELL.self + 2 + index * (CELL.cross + 2);
        cells.push({ site: cross.index, x, y: top, width: CELL.width, height: CELL.cross });
      });
      deepest = Math.max(deepest, crosses.length);
    });
    y += CELL.self + deepest * (CELL.cross + 2) + CELL.gap;
  }
  const columns = Math.max(0, ...lines.map((line) => line.length));
  const width = Math.max(LEAST_WIDTH, 2 * PAD.side + columns * (CELL.width + CELL.gap) - CELL.gap);
  return { block, level, width, height: lines.length ? y - CELL.gap + PAD.bottom : PAD.top + PAD.bottom, cells };
}

/** A line an attention; attentions of one transformer block each share a line. */
function linesOf<T extends MapSite>(sites: readonly T[]): T[][] {
  const attentions = new Map<string, T[]>();
  for (const site of sites) {
    const [, , attention = ''] = site.id.split('.');
    attentions.set(attention, [...(attentions.get(attention) ?? []), site]);
  }
  const groups = [...attentions.values()];
  const merged = groups.every((group) => group.length === 1) ? [groups.flat()] : groups;
  return merged.flatMap((group) => chunks(group));
}

function chunks<T>(list: readonly T[]): T[][] {
  return Array.from({ length: Math.ceil(list.length / MOST_A_LINE) }, (_, index) =>
    list.slice(index * MOST_A_LINE, (index + 1) * MOST_A_LINE),
  );
}
