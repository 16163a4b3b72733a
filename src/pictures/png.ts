import { PNG } from 'pngjs';
import type { Picture } from '../sampling/index.ts';

/** A picture as the bytes of a PNG file. */
export function encodePng({ width, height, rgba }: Picture): Uint8Array {
  const png = new PNG({ width, height });
  png.data.set(rgba);
  return PNG.sync.write(png);
}
