/** What a file is, told by its first bytes: its suffix may say anything. */
export interface FileKind {
  /** In words, as in "is a JPEG picture". */
  readonly what: string;
  /** How pixels are had from it: by our own reader, by sharp, or not. */
  readonly reader: 'png' | 'sharp' | undefined;
  /** What to do, where it is not read. */
  readonly cure?: string | undefined;
}

/** @param text the first bytes as Latin-1 */
type Test = (text: string) => boolean;

const begins =
  (...starts: readonly string[]): Test =>
  (text) =>
    starts.some((start) => text.startsWith(start));
const says =
  (pattern: RegExp): Test =>
  (text) =>
    pattern.test(text);
/** The brand of a file in ISO's base media format. */
const brand =
  (...brands: readonly string[]): Test =>
  (text) =>
    text.slice(4, 8) === 'ftyp' && brands.includes(text.slice(8, 12));

const read = (what: string, reader: FileKind['reader']): FileKind => ({ what, reader });
const unread = (what: string, cure: string): FileKind => ({ what, reader: undefined, cure });
const SAVE = 'save it as PNG, JPEG or WebP';
const DOWNLOAD = 'download the file itself';

const KINDS: ReadonlyArray<readonly [test: Test, kind: FileKind]> = [
  [begins('\x89PNG\r\n\x1a\n'), read('a PNG picture', 'png')],
  [begins('\xff\xd8\xff'), read('a JPEG picture', 'sharp')],
  [says(/^RIFF.{4}WEBP/s), read('a WebP picture', 'sharp')],
  [begins('GIF87a', 'GIF89a'), read('a GIF picture', 'sharp')],
  [brand('avif', 'avis'), read('an AVIF picture', 'sharp')],
  [begins('II*\0', 'MM\0*'), read('a TIFF picture', 'sharp')],
  [brand('heic', 'heix', 'heim', 'heis', 'hevc', 'mif1', 'msf1'), unread('a HEIC picture', SAVE)],
  [says(/^BM.{12}/s), unread('a BMP picture', SAVE)],
  [begins('\xff\x0a', '\0\0\0\x0cJXL '), unread('a JPEG XL picture', SAVE)],
  [begins('\0\0\0\x0cjP  '), unread('a JPEG 2000 picture', SAVE)],
  [begins('8BPS'), unread('a Photoshop document', SAVE)],
  [begins('%PDF-'), unread('a PDF', SAVE)],
  [says(/^\s*(<\?xml.*)?<svg[\s>]/is), unread('an SVG drawing', SAVE)],
  [begins('version https://git-lfs'), unread('a Git LFS pointer, not the picture', `run git lfs pull, or ${DOWNLOAD}`)],
  [says(/^(\xef\xbb\xbf)?\s*<(!doctype html|html|head|body)/i), unread('a web page, not the picture', DOWNLOAD)],
  [(text) => text.slice(3, 9) === '\0\0\0\0\0{', unread('a safetensors file, not a picture', 'give a picture')],
  [says(/^(\xef\xbb\xbf)?\s*[{[]/), unread('JSON, not a picture', 'give a picture')],
];

const UNKNOWN = unread('no picture that is known here', 'give a PNG, JPEG or WebP file');
const EMPTY = unread('empty', 'download or save it again');

/** Bytes of the start that are looked at. */
const LOOKED_AT = 512;

/** What a file is that should be a picture. */
export function fileKind(bytes: Uint8Array): FileKind {
  if (!bytes.length) return EMPTY;
  const text = String.fromCharCode(...bytes.subarray(0, LOOKED_AT));
  return KINDS.find(([test]) => test(text))?.[1] ?? UNKNOWN;
}
