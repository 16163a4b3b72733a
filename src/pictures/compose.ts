import type { Picture } from '../sampling/index.ts';

/** White between pictures, in pixels. */
export const GAP = 8;

/** A picture whose pixels are blown up to squares, so that a small one can be looked at. */
export function enlarge({ width, height, rgba }: Picture, factor: number): Picture {
  const rows = height * factor;
  const columns = width * factor;
  const large = new Uint8ClampedArray(rows * columns * 4);
  for (let y = 0; y < rows; y++) {
    for (let x = 0; x < columns; x++) {
      const from = (Math.floor(y / factor) * width + Math.floor(x / factor)) * 4;
      large.set(rgba.subarray(from, from + 4), (y * columns + x) * 4);
    }
  }
  return { width: columns, height: rows, rgba: large };
}

/** Rows of pictures on one white sheet. Pictures of a column should have one width, of a row one height. */
export function sheet(rows: ReadonlyArray<readonly Picture[]>): Picture {
  const widths = columnSizes(rows);
  const heights = rows.map((row) => Math.max(0, ...row.map((picture) => picture.height)));
  const total = (sizes: readonly number[]) => sizes.reduce((sum, size) => sum + size + GAP, GAP);
  const made = { width: total(widths), height: total(heights) };
  const rgba = new Uint8ClampedArray(made.width * made.height * 4).fill(255);
  rows.forEach((row, r) => {
    row.forEach((picture, c) => {
      paste({ ...made, rgba }, picture, total(widths.slice(0, c)), total(heights.slice(0, r)));
    });
  });
  return { ...made, rgba };
}

function columnSizes(rows: ReadonlyArray<readonly Picture[]>): number[] {
  const columns = Math.max(0, ...rows.map((row) => row.length));
  return Array.from({ length: columns }, (_, column) => Math.max(0, ...rows.map((row) => row[column]?.width ?? 0)));
}

/** Copies `picture` into `target` with its left upper corner at `left`, `top`. */
export function paste(target: Picture, picture: Picture, left: number, top: number): void {
  for (let y = 0; y < picture.height; y++) {
    const row = picture.rgba.subarray(y * picture.width * 4, (y + 1) * picture.width * 4);
    target.rgba.set(row, ((top + y) * target.width + left) * 4);
  }
}
