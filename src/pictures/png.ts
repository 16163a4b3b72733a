import { PNG } from 'pngjs';
import type { Picture } from '../sampling/index.ts';

const RGB = 2;
const RGBA = 6;

/** A picture as the bytes of a PNG file, without an alpha channel where every pixel is opaque. */
export function encodePng({ width, height, rgba }: Picture): Uint8Array {
  const opaque = rgba.every((value, index) => index % 4 !== 3 || value === 255);
  const png = new PNG({ width, height, colorType: opaque ? RGB : RGBA, inputHasAlpha: true });
  png.data.set(rgba);
  return PNG.sync.write(png);
}

/** A picture as an address that a page can show without another file. */
export function pngAddress(picture: Picture): string {
  return `data:image/png;base64,${Buffer.from(encodePng(picture)).toString('base64')}`;
}
