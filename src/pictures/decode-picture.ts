import { messageOf, SlothfulError } from '../errors.ts';
import type { Picture } from '../sampling/index.ts';
import { type PictureKind, pictureKind } from './picture-kind.ts';
import { checkPixels, decodePng, MOST_PIXELS } from './png.ts';

/** The package that reads what is not PNG. */
type Sharp = typeof import('sharp')['default'];

async function loadSharp(): Promise<Sharp> {
  return (await import('sharp')).default;
}

/**
 * The picture of a file, whatever its suffix says: PNG by our own reader; JPEG, WebP, GIF, TIFF and AVIF by sharp, turned as
 * their EXIF says, in sRGB of 8 bits; of several frames the first.
 *
 * @param place the file, for messages
 * @param load how sharp is had; it is an optional package
 * @throws SlothfulError `bad-input` for what is no picture or a broken one, saying what it is; `unsupported` without sharp
 */
export async function decodePicture(bytes: Uint8Array, place: string, load = loadSharp): Promise<Picture> {
  const kind = pictureKind(bytes);
  if (kind.reader === 'png') return decodePng(bytes, place);
  if (kind.reader === undefined) throw notRead(kind, place);
  const sharp = await load().catch((error: unknown) => {
    const problem = `${kind.what}, which the package sharp reads, and that cannot be loaded (${messageOf(error)})`;
    throw new SlothfulError(
      'unsupported',
      place,
      problem.replace(/\s+/g, ' '),
      'run npm install sharp, or save it as PNG',
    );
  });
  return decodeBySharp(sharp, bytes, kind, place);
}

/** @throws SlothfulError `bad-input` where a file is no PNG, saying what it is */
export function expectPng(bytes: Uint8Array, place: string): void {
  const { what, reader } = pictureKind(bytes);
  if (reader === 'png') return;
  throw new SlothfulError('bad-input', place, `${what}, and a PNG is needed here`, 'give a PNG file');
}

function notRead({ what, cure }: PictureKind, place: string): SlothfulError {
  return new SlothfulError('bad-input', place, what, cure);
}

async function decodeBySharp(sharp: Sharp, bytes: Uint8Array, { what }: PictureKind, place: string): Promise<Picture> {
  try {
    const { width, height } = await sharp(bytes, { limitInputPixels: false }).metadata();
    checkPixels(width, height, place);
    const opened = sharp(bytes, { limitInputPixels: MOST_PIXELS, failOn: 'error' });
    const image = opened.autoOrient().toColourspace('srgb').ensureAlpha();
    const { data, info } = await image.raw({ depth: 'uchar' }).toBuffer({ resolveWithObject: true });
    return { width: info.width, height: info.height, rgba: new Uint8ClampedArray(data) };
  } catch (error) {
    if (error instanceof SlothfulError) throw error;
    const [reason = ''] = messageOf(error).split('\n');
    throw new SlothfulError('bad-input', place, `${what} that cannot be read (${reason})`, 'download or save it again');
  }
}
