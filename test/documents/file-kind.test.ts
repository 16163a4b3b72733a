import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { fileKind, parseForeignJson, parseForeignJsonFile } from '../../src/documents/index.ts';
import { decodeSafetensors, encodeSafetensors } from '../../src/tensors/index.ts';
import { failsWith } from '../support/errors.ts';

const test = suite('what a file is');

const bytesOf = (text: string) => Uint8Array.from(text, (letter) => letter.charCodeAt(0) & 0xff);
const zip = (name: string) => `PK\x03\x04${'\0'.repeat(26)}${name}${'\0'.repeat(40)}`;

/** How files begin that are often found under the name of another, and what they are called. */
const FILES: ReadonlyArray<readonly [start: string, what: RegExp]> = [
  ['', /^is empty$/],
  ['version https://git-lfs.github.com/spec/v1\noid sha256:55\nsize 3438167540\n', /Git LFS pointer/],
  ['# xet version 0\nfilesize = 12\nhash = 55\n', /Xet pointer/],
  ['/annex/objects/SHA256E-s12--55.safetensors\n', /git-annex pointer/],
  ['../../blobs/6ce0161689b3853acaa03779ec93eafe75a02f4c', /link into a download cache/],
  ['\r\n<!DOCTYPE html><html><head><title>Sign in</title>', /web page/],
  ['\xef\xbb\xbf<html lang="en">', /web page/],
  ['<?xml version="1.0"?><Error><Code>AccessDenied</Code>', /server's answer \(XML\)/],
  ['<?xml version="1.0"?>\n<svg width="1">', /SVG picture/],
  ['{"error":"Entry not found"}', /server's answer, not the file: ".*Entry not found/],
  ['Entry not found', /is a text that begins with "Entry not found"/],
  ['Invalid username or password.', /begins with "Invalid username/],
  ['{"sd15": 1, "list": []}', /is a JSON text/],
  ['\xff\xd8\xff\xe0\0\x10JFIF', /JPEG picture/],
  ['\x89PNG\r\n\x1a\n\0\0', /PNG picture/],
  ['GIF89a\x01\0', /GIF picture/],
  ['RIFF\x10\0\0\0WEBPVP8 ', /WebP picture/],
  ['\0\0\0\x1cftypavif\0\0', /AVIF picture/],
  ['\0\0\0\x18ftypheic\0\0', /HEIC picture/],
  ['BM\x46\0\0\0\0\0\0\0\x36\0\0\0', /BMP picture/],
  [zip('archive/data.pkl'), /PyTorch pickle/],
  [zip('arr_0.npy'), /NumPy archive/],
  [zip('model.safetensors'), /ZIP archive/],
  ['\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02M', /PyTorch pickle/],
  ['\x80\x04\x95\x10\0\0\0', /Python pickle/],
  ['GGUF\x03\0\0\0', /GGUF model/],
  ['\x89HDF\r\n\x1a\n\0', /HDF5 file/],
  ['\x08\x08\x12\x07pytorch\x1a\x05', /ONNX model/],
  ['\x1f\x8b\x08\0\0\0', /gzip archive/],
  ['\0'.repeat(64), /nothing but zeros/],
];

test('the pointer, page or picture that came in the place of a file is named', () => {
  for (const [start, what] of FILES) {
    const bytes = bytesOf(start);
    assert.match(fileKind(bytes, bytes.length)?.what ?? 'nothing', what, JSON.stringify(start));
  }
});

test('weights are weights, and other bytes are nothing that is known', () => {
  const weights = encodeSafetensors(new Map([['a', { shape: [1], data: Float32Array.of(1) }]]));
  assert.is(fileKind(weights, weights.length)?.kind, 'safetensors');
  const noise = Uint8Array.from({ length: 64 }, (_, index) => (index * 151 + 7) & 0xff);
  assert.is(fileKind(noise, noise.length), undefined);
  assert.is(fileKind(bytesOf('BMW is a carmaker').subarray(0, 5), 17), undefined);
});

test('what was read as weights or as JSON says what it is', async () => {
  const pointer = bytesOf(FILES[1]?.[0] ?? '');
  const options = { place: 'config.json', code: 'bad-checkpoint' } as const;
  await failsWith('bad-checkpoint', /^a: is a Git LFS pointer, .*git lfs pull/, () => decodeSafetensors(pointer, 'a'));
  await failsWith('bad-checkpoint', /^config\.json: is a Git LFS pointer.*JSON is wanted.*git lfs pull/, () =>
    parseForeignJsonFile(pointer, options),
  );
  await failsWith('bad-checkpoint', /^config\.json: is not JSON/, () =>
    parseForeignJsonFile(bytesOf('{"a": '), options),
  );
});

/** JSON as Python and Windows write it. */
const FOREIGN: ReadonlyArray<readonly [text: string, value: unknown]> = [
  ['{"a": -Infinity, "b": Infinity, "c": [1]}', { a: Number.NEGATIVE_INFINITY, b: Number.POSITIVE_INFINITY, c: [1] }],
  ['{"a": NaN}', { a: Number.NaN }],
  ['{"a": "NaN and -Infinity"}', { a: 'NaN and -Infinity' }],
  ['\xef\xbb\xbf{"a": 1}', { a: 1 }],
  ['\xff\xfe{\0"\0a\0"\0:\x001\0}\0', { a: 1 }],
  // transformers' "no limit"
  ['{"model_max_length": 1000000000000000019884624838656, "a": NaN}', { model_max_length: 1e30, a: Number.NaN }],
];

test('JSON of others may have the numbers of Python and a mark of byte order', async () => {
  const options = { place: 'a.json', code: 'bad-checkpoint', cure: 'download it again' } as const;
  for (const [text, value] of FOREIGN) assert.equal(parseForeignJsonFile(bytesOf(text), options), value, text);
  for (const text of ['{"a": nan}', '{"a": +Infinity}', '{"a": NaN', '{"a": NaN}}', 'NaN,']) {
    await failsWith('bad-checkpoint', /^a\.json: is not JSON.*download it again$/, () =>
      parseForeignJson(text, options),
    );
  }
});

test.run();
