import { SlothfulError } from '../errors.ts';
import type { Values } from '../sampling/index.ts';

/** How an image is cut into tiles that overlap. */
export interface Tiling {
  /** Edge of a tile in latent pixels. */
  readonly tile: number;
  /** Share of a tile that it has in common with the next, default 0.25; a whole number of latent pixels. */
  readonly overlap?: number | undefined;
}

/** A stretch of rows or columns of an image. */
export interface Stretch {
  readonly start: number;
  readonly size: number;
}

/** The same stretch in latents and in pixels. */
export interface Span {
  readonly latent: Stretch;
  readonly pixels: Stretch;
}

/** How long an edge of an image is in latents and in pixels. */
export interface Edge {
  readonly latent: number;
  readonly pixels: number;
}

/** Where the tiles of an image are: one for each of `rows` and `columns`. */
export interface TilePlan {
  readonly rows: readonly Span[];
  readonly columns: readonly Span[];
  /** Latent pixels that a tile has in common with the next. */
  readonly blend: number;
}

const OVERLAP = 0.25;

/**
 * Plans the tiles of an image: one, where no edge is longer than a tile or no tiling is asked for. The last ones of an edge
 * may be tiny.
 *
 * @param downscale pixels of a latent pixel's edge
 * @throws SlothfulError `bad-parameter` for a tile or an overlap that is no whole number of latent pixels, or tiles that
 *   overlap wholly
 * Source: diffusers, `AutoencoderKL.tiled_decode` and `_tiled_encode`, of which only the overlaps are taken that fit the
 *   grid of latents: with the others theirs joins tiles at places where they do not belong.
 */
export function planTiles(rows: Edge, columns: Edge, downscale: number, tiling?: Tiling): TilePlan {
  const { tile, blend } = tiling ? checkTiling(tiling) : { tile: Number.POSITIVE_INFINITY, blend: 0 };
  const fits = Math.max(rows.pixels, columns.pixels) <= tile * downscale;
  const spans = (edge: Edge) => spansOf(edge, fits ? Number.POSITIVE_INFINITY : tile, blend, downscale);
  return { rows: spans(rows), columns: spans(columns), blend };
}

function checkTiling({ tile, overlap = OVERLAP }: Tiling): { tile: number; blend: number } {
  const blend = Math.round(tile * overlap);
  const isWhole = Number.isInteger(tile) && Math.abs(blend - tile * overlap) < 1e-6;
  if (isWhole && blend >= 0 && blend < tile) return { tile, blend };
  const problem = `tiles of ${tile} latent pixels with an overlap of ${overlap}`;
  const cure = 'the tile must be a whole number, and so must be what tiles overlap by, which is less';
  throw new SlothfulError('bad-parameter', 'tiling', problem, cure);
}

function spansOf(edge: Edge, tile: number, blend: number, downscale: number): Span[] {
  const spans: Span[] = [];
  for (let start = 0; start < edge.latent; start += tile - blend) {
    const pixels = start * downscale;
    spans.push({
      latent: { start, size: Math.min(tile, edge.latent - start) },
      pixels: { start: pixels, size: Math.min(tile * downscale, edge.pixels - pixels) },
    });
  }
  return spans;
}

/** The part of an image [1, H, W, C] under a tile, copied. */
export function cutTile({ shape, data }: Values, rows: Stretch, columns: Stretch): Values {
  const [, , width = 0, channels = 0] = shape;
  const cut = new Float32Array(rows.size * columns.size * channels);
  for (let row = 0; row < rows.size; row++) {
    const from = ((rows.start + row) * width + columns.start) * channels;
    cut.set(data.subarray(from, from + columns.size * channels), row * columns.size * channels);
  }
  return { shape: [1, rows.size, columns.size, channels], data: cut };
}

/** Puts tiles together that come in the order of rows. It keeps one row of them, whatever the size of the image. */
export class TileJoiner {
  /** By column: the last tile there, as it was blended. */
  private readonly last: Values[] = [];

  /**
   * @param target the image [1, H, W, C], which is written
   * @param blend pixels of `target` that neighbours have in common
   */
  constructor(
    private readonly target: Values,
    private readonly blend: number,
  ) {}

  /**
   * Blends a tile with those above and to the left, and writes it where it belongs; the next ones write over what they have
   * in common with it.
   *
   * @param tile [1, h, w, C]; changed
   * @param column index of its column of tiles
   */
  add(tile: Values, column: number, top: number, left: number): void {
    const [above, before] = [this.last[column], this.last[column - 1]];
    if (above) blendRows(above, tile, this.blend);
    if (before) blendColumns(before, tile, this.blend);
    this.last[column] = tile;
    this.write(tile, top, left);
  }

  private write({ shape, data }: Values, top: number, left: number): void {
    const [, height = 0, width = 0, channels = 0] = shape;
    const [, , targetWidth = 0] = this.target.shape;
    for (let row = 0; row < height; row++) {
      const line = data.subarray(row * width * channels, (row + 1) * width * channels);
      this.target.data.set(line, ((top + row) * targetWidth + left) * channels);
    }
  }
}

/** Source: diffusers, `AutoencoderKL.blend_v`: the first rows of a tile with the last ones of that above. */
function blendRows(above: Values, tile: Values, blend: number): void {
  const [, height = 0, width = 0, channels = 0] = tile.shape;
  const [, aboveHeight = 0] = above.shape;
  const count = Math.min(blend, height, aboveHeight);
  const line = width * channels;
  const from = (aboveHeight - count) * line;
  for (let index = 0; index < count * line; index++) {
    tile.data[index] = mixed(above.data[from + index], tile.data[index], Math.floor(index / line) / count);
  }
}

/** Source: diffusers, `AutoencoderKL.blend_h`: the first columns of a tile with the last ones of that to the left. */
function blendColumns(left: Values, tile: Values, blend: number): void {
  const [, height = 0, width = 0, channels = 0] = tile.shape;
  const [, , leftWidth = 0] = left.shape;
  const count = Math.min(blend, width, leftWidth);
  for (let row = 0; row < height; row++) {
    const [to, from] = [row * width * channels, ((row + 1) * leftWidth - count) * channels];
    for (let index = 0; index < count * channels; index++) {
      const share = Math.floor(index / channels) / count;
      tile.data[to + index] = mixed(left.data[from + index], tile.data[to + index], share);
    }
  }
}

function mixed(old: number | undefined, own: number | undefined, share: number): number {
  return (old ?? 0) * (1 - share) + (own ?? 0) * share;
}
