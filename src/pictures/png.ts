import { PNG } from 'pngjs';
import { messageOf, SlothfulError } from '../errors.ts';
import type { Picture } from '../sampling/index.ts';

const RGB = 2;
const RGBA = 6;

/** A picture as the bytes of a PNG file, without an alpha channel where every pixel is opaque. */
export function encodePng({ width, height, rgba }: Picture): Uint8Array {
  const opaque = rgba.every((value, index) => index % 4 !== 3 || value === 255);
  const png = new PNG({ width, height });
  png.data.set(rgba);
  return PNG.sync.write(png, { colorType: opaque ? RGB : RGBA, inputHasAlpha: true });
}

/** A picture as an address that a page can show without another file. */
export function pngAddress(picture: Picture): string {
  return `data:image/png;base64,${Buffer.from(encodePng(picture)).toString('base64')}`;
}

/** A picture of a few thousand pixels a side; what a header claims above that is not decoded to see. */
export const MOST_PIXELS = 2 ** 25;

/** @throws SlothfulError `bad-input` for a header that claims more pixels than any picture that is shown here */
export function checkPixels(width: number, height: number, place: string): void {
  if (width * height <= MOST_PIXELS) return;
  const problem = `claims ${width} x ${height} pixels, and at most ${MOST_PIXELS} are taken`;
  throw new SlothfulError('bad-input', place, problem, 'make it smaller');
}

function checkHeader(bytes: Uint8Array, place: string): void {
  if (bytes.length < 24) return;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  checkPixels(view.getUint32(16), view.getUint32(20), place);
}

/**
 * The picture of a PNG file.
 *
 * @param place the file, for messages
 * @throws SlothfulError `bad-input` where it is not a PNG, or a broken one
 */
export function decodePng(bytes: Uint8Array, place: string): Picture {
  checkHeader(bytes, place);
  try {
    const { width, height, data } = PNG.sync.read(Buffer.from(bytes));
    return { width, height, rgba: Uint8ClampedArray.from(data) };
  } catch (error) {
    throw new SlothfulError(
      'bad-input',
      place,
      `is not a PNG that can be read (${messageOf(error)})`,
      'give a PNG file',
    );
  }
}
