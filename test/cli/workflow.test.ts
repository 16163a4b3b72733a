import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { formatPythonJson } from '../../src/documents/index.ts';
import { slothful, slothfulHere } from '../support/cli.ts';
import { fixturePath } from '../support/fixtures.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { plainApi } from '../workflows/builders.ts';

const test = suite('slothful workflow');

const at = (name: string) => fixturePath(`comfyui/workflows/${name}`);
const folder = temporaryFolder();

test('a table for people, with what they should know on stderr', async () => {
  const { code, stdout, stderr } = await slothful(['workflow', at('04_ui_advanced.json')]);
  assert.is(code, 0, stderr);
  assert.is(stderr, '', 'a sampler that adds no noise has no seed to speak of');
  assert.match(stdout, /checkpoint +tiny\.safetensors/);
  assert.match(stdout, /pass 1 \(node 30\)[\s\S]*steps 0 to 6[\s\S]*FreeU_V2 +b1 1\.3[\s\S]*pass 2 \(node 31\)/);
  const other = await slothfulHere(['workflow', at('01_ui_plain.json')]);
  assert.match(other.stderr, /^note: the seed of node 3 \(KSampler\) is set to randomize/);
});

test('JSON for programs, seeds as text', async () => {
  const { code, stdout, stderr } = await slothfulHere(['workflow', at('03_api_img2img.json'), '--json']);
  assert.is(code, 0, stderr);
  const document = JSON.parse(stdout);
  assert.equal(
    [document.schema, document.understood, document.seed],
    ['slothful-workflow/1', true, '18446744073709551557'],
  );
});

test('what is refused: a line on stderr, and with --json each node on stdout', async () => {
  const plainRun = await slothfulHere(['workflow', at('06_ui_refuse.json')]);
  assert.equal([plainRun.code, plainRun.stdout], [1, '']);
  assert.match(plainRun.stderr, /^slothful: .*node 42 \(ControlNetApplyAdvanced\).*node 10 \(SlothfulAttention\).*\n$/);
  const { code, stdout, stderr } = await slothfulHere(['workflow', at('06_ui_refuse.json'), '--json']);
  assert.is(code, 1);
  assert.is(stderr, plainRun.stderr);
  const { understood, refused } = JSON.parse(stdout);
  assert.is(understood, false);
  assert.equal(
    refused.map((each: { class_type: string; id: string }) => [each.class_type, each.id]),
    [
      ['ControlNetApplyAdvanced', '42'],
      ['SlothfulAttention', '10'],
    ],
  );
});

test('what is wrong with the file as a whole is JSON, too', async () => {
  const { code, stdout, stderr } = await slothfulHere(['workflow', at('none.json'), '--json']);
  assert.is(code, 1);
  const { refused, because } = JSON.parse(stdout);
  assert.equal(refused, []);
  assert.is(stderr, `slothful: ${because}\n`);
});

test('--output chooses one of several', async () => {
  const path = join(folder, 'two.json');
  const nodes = plainApi((all) => {
    all[15] = { class_type: 'KSampler', inputs: { ...all[5]?.inputs, seed: 8 } };
    all[16] = { class_type: 'VAEDecode', inputs: { samples: ['15', 0], vae: ['1', 2] } };
    all[17] = { class_type: 'PreviewImage', inputs: { images: ['16', 0] } };
  });
  writeFileSync(path, formatPythonJson(nodes));
  const both = await slothfulHere(['workflow', path]);
  assert.is(both.code, 1);
  assert.match(both.stderr, /node 7 \(SaveImage\), node 17 \(PreviewImage\); choose one with --output ID/);
  const { stdout } = await slothfulHere(['workflow', path, '--output', '17', '--json']);
  assert.is(JSON.parse(stdout).seed, '8');
});

test.run();
