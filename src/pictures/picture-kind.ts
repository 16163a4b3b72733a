import { fileKind } from '../documents/index.ts';

/** What a file is that should be a picture, told by its first bytes: its suffix may say anything. */
export interface PictureKind {
  /** In a sentence behind the file's name: "is a JPEG picture". */
  readonly what: string;
  /** How pixels are had from it: by our own reader, by sharp, or not. */
  readonly reader: 'png' | 'sharp' | undefined;
  /** What to do, where it is not read. */
  readonly cure?: string | undefined;
}

/** The formats that sharp reads as it is installed by npm. */
const BY_SHARP: ReadonlySet<string | undefined> = new Set(['JPEG', 'WebP', 'GIF', 'TIFF', 'AVIF']);

/** What a file is that should be a picture. */
export function pictureKind(bytes: Uint8Array): PictureKind {
  const found = fileKind(bytes, bytes.length);
  if (!found)
    return { what: 'is no picture that is known here', reader: undefined, cure: 'give a PNG, JPEG or WebP file' };
  const { kind, format, what, cure } = found;
  if (format === 'PNG') return { what, reader: 'png' };
  if (BY_SHARP.has(format)) return { what, reader: 'sharp' };
  if (kind === 'picture') return { what, reader: undefined, cure: 'save it as PNG, JPEG or WebP' };
  const isData = kind === 'safetensors' || kind === 'json' || kind === 'model';
  return { what, reader: undefined, cure: isData ? 'give a picture' : cure };
}
