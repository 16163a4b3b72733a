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

/** Copies `picture` into `target` with its left upper corner at `left`, `top`. */
export function paste(target: Picture, picture: Picture, left: number, top: number): void {
  for (let y = 0; y < picture.height; y++) {
    const row = picture.rgba.subarray(y * picture.width * 4, (y + 1) * picture.width * 4);
    target.rgba.set(row, ((top + y) * target.width + left) * 4);
  }
}
