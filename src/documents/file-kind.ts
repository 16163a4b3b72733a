import { decodeText } from './text.ts';

/** What a file is, told by how it begins. */
export interface FileKind {
  readonly kind:
    | 'safetensors'
    | 'json'
    | 'pointer'
    | 'page'
    | 'picture'
    | 'pickle'
    | 'model'
    | 'archive'
    | 'broken'
    | 'other';
  /** Of a picture: JPEG, PNG and so on. */
  readonly format?: string;
  /** What follows the file's name in a sentence: "is a Git LFS pointer, not the file itself". */
  readonly what: string;
  /** What to do where something else was wanted. */
  readonly cure: string;
}

/** How much of a file is looked at. */
export const FILE_KIND_BYTES = 1024;

const AGAIN = 'download it again';
const PAGE =
  'the download asked for a login, or the link was that of the page: open it in a browser, or use its download link';
const PNG = 'save it as PNG where a picture is wanted, and give the weights where weights are';
const UNPACK = 'unpack it, and give the file in it';
const PICKLE =
  'save it as .safetensors (safetensors.torch.save_file of what torch.load(path, weights_only=True) gives; diffusers: save_pretrained; web UIs: the checkpoint merger) and give that';
const SAFETENSORS = 'give the model in safetensors';

/** What a file of some kind begins with; bytes are letters of latin1. */
interface Beginning extends FileKind {
  /** Any of these, `at` so many bytes from the start. */
  readonly begins: readonly string[];
  readonly at?: number;
  /** What stands somewhere behind it, among the bytes that are looked at. */
  readonly has?: string;
}

const lfs = { kind: 'pointer', what: 'is a Git LFS pointer, not the file itself' } as const;
const picture = (name: string) => ({ kind: 'picture', format: name, what: `is a ${name} picture`, cure: PNG }) as const;
const model = (what: string) => ({ kind: 'model', what, cure: SAFETENSORS }) as const;
const other = (what: string, cure = AGAIN) => ({ kind: 'other', what, cure }) as const;
const archive = (what: string) => ({ kind: 'archive', what, cure: UNPACK }) as const;
const pickle = (whose: string) =>
  ({ kind: 'pickle', what: `is a ${whose} pickle, which can run any code when it is opened`, cure: PICKLE }) as const;

/** The first that fits is it. */
const BEGINNINGS: readonly Beginning[] = [
  {
    ...lfs,
    begins: ['version https://git-lfs.github.com/spec/', 'version https://hawser.github.com/spec/'],
    cure: 'fetch the file with git lfs pull, or download it from its page',
  },
  {
    begins: ['# xet version '],
    ...{ kind: 'pointer', what: 'is a Xet pointer, not the file itself' },
    cure: 'download the file with the hf command, or from its page',
  },
  {
    begins: ['/annex/objects/', '.git/annex/objects/', '../.git/annex/objects/'],
    ...{ kind: 'pointer', what: 'is a git-annex pointer, not the file itself' },
    cure: 'fetch the file with git annex get',
  },
  {
    begins: ['../../blobs/', '../../../blobs/', '../../../../blobs/'],
    ...{ kind: 'pointer', what: 'is the text of a link into a download cache, not the file itself' },
    cure: 'give the file that it names, or download it again',
  },
  { begins: ['\xff\xd8\xff'], ...picture('JPEG') },
  { begins: ['\x89PNG\r\n\x1a\n'], ...picture('PNG'), cure: 'give it where a picture is wanted' },
  { begins: ['GIF87a', 'GIF89a'], ...picture('GIF') },
  { begins: ['WEBP'], at: 8, ...picture('WebP') },
  { begins: ['ftypavif', 'ftypavis'], at: 4, ...picture('AVIF') },
  { begins: ['ftyphei', 'ftyphev', 'ftypmif1', 'ftypmsf1'], at: 4, ...picture('HEIC') },
  { begins: ['\0\0\0\x0cJXL ', '\xff\x0a'], ...picture('JPEG XL') },
  { begins: ['ftyp'], at: 4, ...other('is a video') },
  { begins: ['II*\0', 'MM\0*'], ...picture('TIFF') },
  { begins: ['8BPS'], ...picture('Photoshop') },
  // "BM" begins many a text, which has no zeros.
  { begins: ['BM'], has: '\0\0\0\0', ...picture('BMP') },
  { begins: ['GGUF'], ...model('is a GGUF model, whose weights are quantised') },
  { begins: ['ggml', 'lmgg', 'tjgg', 'fmgg'], ...model('is a GGML model, whose weights are quantised') },
  { begins: ['\x89HDF\r\n\x1a\n'], ...model('is an HDF5 file, as Keras saves weights') },
  { begins: ['\x12\x07pytorch', '\x12\x04onnx', '\x12\x06tf2onnx'], at: 2, ...model('is an ONNX model') },
  { begins: ['TFL3'], at: 4, ...model('is a TensorFlow Lite model') },
  { begins: ['\x93NUMPY'], ...model('is a NumPy array') },
  { begins: ['PK\x03\x04'], has: 'data.pkl', ...pickle('PyTorch') },
  { begins: ['PK\x03\x04'], has: '.npy', ...model('is a NumPy archive') },
  { begins: ['PK\x03\x04', 'PK\x05\x06'], ...archive('is a ZIP archive') },
  { begins: ['\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19'], ...pickle('PyTorch') },
  { begins: ['\x80\x02', '\x80\x03', '\x80\x04', '\x80\x05'], ...pickle('Python') },
  { begins: ['\x1f\x8b'], ...archive('is a gzip archive') },
  { begins: ['7z\xbc\xaf\x27\x1c', 'Rar!\x1a\x07', '\xfd7zXZ\0', '\x28\xb5\x2f\xfd'], ...archive('is an archive') },
  { begins: ['ustar'], at: 257, ...archive('is a tar archive') },
  { begins: ['%PDF-'], ...other('is a PDF document') },
  {
    begins: ['d8:announce', 'd10:created by', 'd13:announce-list'],
    ...other('is a torrent', 'download what it names'),
  },
  { begins: ['SQLite format 3\0'], ...other('is a database') },
  { begins: ['MZ\x90\0', '\x7fELF'], ...other('is a program') },
];

function beginsWith(text: string, { begins, at = 0, has }: Beginning): boolean {
  return begins.some((begin) => text.startsWith(begin, at)) && (has === undefined || text.includes(has));
}

/** Beginnings of texts, without their spaces. */
const TEXTS: ReadonlyArray<readonly [RegExp, FileKind['kind'], what: string, cure: string]> = [
  [/^<svg\b/i, 'picture', 'is an SVG picture', PNG],
  [/^<\?xml\b[\s\S]*<svg\b/i, 'picture', 'is an SVG picture', PNG],
  [/^<(?:!doctype\s+html|html|head|body|title|script|meta|!--)/i, 'page', 'is a web page, not the file', PAGE],
  [/^<(?:\?xml|Error|!doctype)\b/i, 'page', "is a server's answer (XML), not the file", AGAIN],
];

/**
 * Tells what a file is by its first bytes: what stands under a name that was meant for weights, a config or a picture may be
 * the pointer, the login page or the error that came in the place of it.
 *
 * @param start the first `FILE_KIND_BYTES` bytes of the file, or all of it
 * @param size bytes of the whole file
 * @returns undefined where nothing is recognised
 */
export function fileKind(start: Uint8Array, size: number): FileKind | undefined {
  const bytes = start.subarray(0, FILE_KIND_BYTES);
  if (size === 0) return { kind: 'broken', what: 'is empty', cure: AGAIN };
  if (isSafetensors(bytes))
    return { kind: 'safetensors', what: 'is a safetensors file', cure: 'give it where weights are wanted' };
  if (size >= 16 && bytes.length >= 16 && bytes.every((byte) => byte === 0)) {
    return { kind: 'broken', what: 'begins with nothing but zeros: its download was not finished', cure: AGAIN };
  }
  const latin = latin1(bytes);
  const found = BEGINNINGS.find((beginning) => beginsWith(latin, beginning));
  if (!found) return textKind(bytes);
  const { kind, format, what, cure } = found;
  return { kind, what, cure, ...(format ? { format } : {}) };
}

function latin1(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) text += String.fromCharCode(byte);
  return text;
}

const MOST_HEADER_BYTES = 100_000_000n;

/** Whether a file begins with the length of a header that could be, and a header. */
function isSafetensors(bytes: Uint8Array): boolean {
  if (bytes.length < 9 || bytes[8] !== 0x7b) return false;
  return new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true) <= MOST_HEADER_BYTES;
}

function textKind(bytes: Uint8Array): FileKind | undefined {
  const text = decodeText(bytes).trimStart();
  const found = TEXTS.find(([pattern]) => pattern.test(text));
  if (found) return { kind: found[1], what: found[2], cure: found[3] };
  if (!isText(text)) return undefined;
  const said = JSON.stringify(text.slice(0, 60).trim());
  if (!/^[{[]/.test(text)) return { kind: 'other', what: `is a text that begins with ${said}`, cure: AGAIN };
  const isError = /^\{\s*"(?:error|message|detail|errors|code|status)"/i.test(text);
  if (isError) return { kind: 'json', what: `is a server's answer, not the file: ${said}`, cure: AGAIN };
  return { kind: 'json', what: 'is a JSON text', cure: SAFETENSORS };
}

/** Letters of any script and spaces, as many as the shortest error of a server has; the last may be cut. */
function isText(text: string): boolean {
  const whole = text.slice(0, -1);
  return (
    whole.length >= 7 &&
    ![...whole].some((letter) => letter === '\ufffd' || (letter < ' ' && !'\t\n\r\f\x1b'.includes(letter)))
  );
}
