import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { convertPipeline } from '../../converters/index.ts';
import { decodePng } from '../../src/pictures/node.ts';
import { slothfulHere } from '../support/cli.ts';
import { fixturePath, readJson } from '../support/fixtures.ts';
import { testedBackend } from '../support/golden-suite.ts';
import { largestDifference } from '../support/numbers.ts';
import { pipelineFolder, storedValues } from '../support/pipeline-goldens.ts';
import { readSafetensors } from '../support/safetensors.ts';
import { temporaryFolder } from '../support/temporary.ts';

/** A picture that ComfyUI made of a workflow, with the original node. */
interface GoldenPicture {
  readonly name: string;
  readonly workflow: string;
  /** After each sampler. */
  readonly latents: readonly string[];
  readonly image_u8: string;
  readonly std: number;
}

const SCALE = 0.18215;
const { pictures } = readJson<{ pictures: GoldenPicture[] }>('comfyui/cases.json');
const golden = (name: string) => storedValues('../comfyui/pictures', name).values;

const backend = testedBackend();
const test = suite(`ComfyUI's pictures of its workflows on ${backend}`);
const folder = temporaryFolder();
const model = join(folder, 'model');

test.before(async () => {
  await convertPipeline(pipelineFolder('sd15'), model);
});

test('there are 4', () => assert.is(pictures.length, 4));

for (const { name, workflow, latents, image_u8, std } of pictures) {
  test(`${name}: one command`, async () => {
    const out = join(folder, name);
    const flags = ['--backend', backend, '--json'];
    const file = fixturePath(`comfyui/workflows/${workflow}`);
    const { code, stdout, stderr } = await slothfulHere(['run', model, '--workflow', file, ...flags, '--out', out]);
    assert.is(code, 0, stderr);
    const { files }: { files: string[] } = JSON.parse(stdout);
    const last = golden(latents.at(-1) ?? '');
    const made = readSafetensors(join(out, 'latents.safetensors')).get('latents');
    const difference =
      largestDifference(
        (made?.data ?? new Float32Array()).map((value) => value / SCALE),
        last,
      ) / std;
    assert.ok(difference <= 1e-4, `latents differ by ${difference} of the deviation`);
    const drawn = files.filter((each) => each.startsWith('picture-')).flatMap((each) => rgbOf(join(out, each)));
    const expected = golden(image_u8);
    assert.is(drawn.length, expected.length);
    const worst = drawn.reduce((most, value, index) => Math.max(most, Math.abs(value - (expected[index] ?? -99))), 0);
    assert.ok(worst <= 1, `pixels differ by ${worst} of 255`);
  });
}

function rgbOf(path: string): number[] {
  const { rgba } = decodePng(readFileSync(path), path);
  return [...rgba].filter((_, index) => index % 4 !== 3);
}

test.run();
