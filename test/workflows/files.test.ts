import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { formatPythonJson } from '../../src/documents/index.ts';
import { encodePng, withPngText } from '../../src/pictures/node.ts';
import { understandWorkflow } from '../../src/workflows/index.ts';
import { readWorkflowFile } from '../../src/workflows/node.ts';
import { failsWith } from '../support/errors.ts';
import { fixturePath } from '../support/fixtures.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { plain, plainApi, uiGraph } from './builders.ts';

const test = suite('files with workflows');

const folder = temporaryFolder();
const PLAIN = encodePng({ width: 1, height: 1, rgba: Uint8ClampedArray.of(1, 2, 3, 255) });

function file(name: string, content: string | Uint8Array): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

async function seedOf(path: string): Promise<bigint | undefined> {
  const { value, place } = await readWorkflowFile(path);
  return understandWorkflow(value, place).passes[0]?.seed;
}

const withSeed = (seed: bigint) =>
  formatPythonJson(plainApi((nodes) => Object.assign(nodes[5]?.inputs ?? {}, { seed })));
const RUN = withSeed(2n ** 64n - 59n);
const SHOWN = formatPythonJson(uiGraph(plain()));

test('JSON, with a mark of byte order and spaces', async () => {
  assert.is(await seedOf(file('a.json', `\ufeff \n${RUN}`)), 18446744073709551557n);
  assert.is(await seedOf(fixturePath('comfyui/workflows/03_api_img2img.json')), 18446744073709551557n);
});

test('a picture: what was run comes before what the page shows', async () => {
  const both = withPngText(PLAIN, { workflow: SHOWN, prompt: RUN });
  assert.is(await seedOf(file('both.png', both)), 18446744073709551557n);
  assert.is(await seedOf(file('shown.png', withPngText(PLAIN, { workflow: SHOWN }))), 7n);
});

test('NaN in a picture is said with its node', () =>
  failsWith(
    'bad-input',
    /nan\.png "prompt": node 5 \(KSampler\): cfg must be a number from 0 to 100, got NaN/,
    async () => {
      const text = RUN.replace('"cfg": 8', '"cfg": NaN');
      return seedOf(file('nan.png', withPngText(PLAIN, { prompt: text })));
    },
  ));

const BROKEN: ReadonlyArray<readonly [name: string, content: string | Uint8Array, message: RegExp]> = [
  ['plain.png', PLAIN, /plain\.png: is a PNG without a workflow of ComfyUI; give one that ComfyUI has saved/],
  ['cut.png', PLAIN.subarray(0, 30), /cut\.png: is cut off/],
  ['text.png', withPngText(PLAIN, { prompt: '{' }), /text\.png "prompt": is not JSON: line 1/],
  ['a.txt', 'a sloth', /a\.txt: is neither a PNG nor a JSON object; give a workflow/],
  ['list.json', '[]', /is neither a PNG nor a JSON object/],
  ['empty.json', '', /is neither a PNG nor a JSON object/],
  ['half.json', '{"nodes": [', /half\.json: is not JSON: line 1, column 12 ends too early/],
];
for (const [name, content, message] of BROKEN) {
  test(`refused: ${name}`, () => failsWith('bad-input', message, () => readWorkflowFile(file(name, content))));
}

test('a file that is not there', () =>
  failsWith('io', /none\.json: cannot be read/, () => readWorkflowFile(join(folder, 'none.json'))));

test.run();
