/**
 * Writes src/text/clip-merges.generated.ts: CLIP's merges.txt (`npm run clip-merges -- merges.txt`), compressed, in a
 * module, so that they are there in the same way in the sources, compiled, and in a bundle. A test knows their hash.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { constants, deflateSync } from 'node:zlib';

const target = new URL('../src/text/clip-merges.generated.ts', import.meta.url);

/** OpenAI's licence, which goes where the merges go: bundlers keep comments that start so. */
const LICENCE = `/*! The merges of CLIP's tokenizer, https://github.com/openai/CLIP

MIT License

Copyright (c) 2021 OpenAI

Permission is hereby granted, free of charge, to any person obtaining a copy
of this software and associated documentation files (the "Software"), to deal
in the Software without restriction, including without limitation the rights
to use, copy, modify, merge, publish, distribute, sublicense, and/or sell
copies of the Software, and to permit persons to whom the Software is
furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all
copies or substantial portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR
IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY,
FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE
AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER
LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM,
OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE
SOFTWARE. */`;

/** The TypeScript module that holds a merges.txt. */
export function clipMergesModule(merges: Uint8Array): string {
  const base64 = deflateSync(merges, { level: constants.Z_BEST_COMPRESSION, memLevel: 9 }).toString('base64');
  return `${LICENCE}

/** merges.txt in zlib in base64. Written by \`npm run clip-merges\`. */
export const CLIP_MERGES: string =
  '${base64}';
`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const source = process.argv[2];
  if (source === undefined) throw new Error('say which merges.txt');
  writeFileSync(target, clipMergesModule(readFileSync(source)));
}
