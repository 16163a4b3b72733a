import { cpSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { convertPipeline } from '../../converters/index.ts';
import { readModel } from '../../src/node.ts';
import { slothfulHere } from '../support/cli.ts';
import { fixturePath, readJson } from '../support/fixtures.ts';
import { pipelineFolder } from '../support/pipeline-goldens.ts';
import { temporaryFolder } from '../support/temporary.ts';

/** Whole commands on the small pipeline; ComfyUI's own pictures of the workflows are in test/golden. */
const test = suite("slothful run --workflow: files, flags and models by ComfyUI's names");
const folder = temporaryFolder();
const at = (...names: string[]) => join(folder, ...names);
const workflow = (name: string) => fixturePath(`comfyui/workflows/${name}.json`);
const WASM = ['--backend', 'wasm', '--json'];

interface Node {
  id: number;
  type: string;
  widgets_values: unknown[];
}

/** A workflow with other values in one of its nodes, as a file. */
function changed(from: string, type: string, change: (values: unknown[]) => unknown[]): string {
  const value = readJson<{ nodes: Node[] }>(`comfyui/workflows/${from}.json`);
  for (const node of value.nodes) if (node.type === type) node.widgets_values = change(node.widgets_values);
  const path = at(`${type}-${Math.random()}.json`);
  writeFileSync(path, JSON.stringify(value));
  return path;
}

const run = (...args: string[]) => slothfulHere(['run', ...args, ...WASM]);

test.before(async () => {
  await convertPipeline(pipelineFolder('sd15'), at('model'));
  // ComfyUI's layout. The small checkpoint is a diffusers folder under the name of a file: its tensors alone do not tell
  // how many heads its text encoder has, as those of real ones do.
  for (const name of ['checkpoints/folder', 'loras', 'vae']) mkdirSync(at('models', name), { recursive: true });
  renameSync(pipelineFolder('sd15'), at('models/checkpoints/folder/tiny.safetensors'));
  cpSync(fixturePath('companions/lora_sd15_kohya.safetensors'), at('models/loras/first.safetensors'));
  cpSync(fixturePath('companions/lora_sd15_peft.safetensors'), at('models/loras/lcm.safetensors'));
  cpSync(at('models/checkpoints/folder/tiny.safetensors/vae'), at('models/vae/vae-ft-mse-840000.safetensors'), {
    recursive: true,
  });
});

test('a model that is not there is converted from --models, with LoRAs and VAE', async () => {
  const small = changed('02_ui_lora_primitive', 'EmptyLatentImage', () => [64, 72, 1]);
  const first = await run(at('made'), '--workflow', small, '--models', at('models'), '--out', at('made-1'));
  assert.is(first.code, 0, first.stderr);
  assert.match(first.stderr, /note: converting .*tiny\.safetensors into .*made\n/);
  const { graph } = await readModel(at('made/unet'));
  const { lora } = graph.metadata as { lora: { file: string; scale: number }[] };
  assert.equal(
    lora.map(({ file, scale }) => [file, scale]),
    [
      ['first.safetensors', 0.8],
      ['lcm.safetensors', 0.5],
    ],
  );
  const record = JSON.parse(first.stdout);
  const { scheduler, seed, rng, rows, columns, guidance_scale } = record.settings;
  assert.equal(
    [scheduler.definitions, scheduler.type, scheduler.sigmas, seed, rng, rows, columns, guidance_scale],
    ['comfyui', 'lcm', 'sgm_uniform', 424242, 'comfyui', 9, 8, 1.5],
  );
  assert.is(record.text.clip_skip, 2);
  // A second time the model is there, and has what the workflow asks for.
  const again = await run(at('made'), '--workflow', small, '--out', at('made-2'));
  assert.is(again.code, 0, again.stderr);
  assert.equal(readFileSync(at('made-1/latents.safetensors')), readFileSync(at('made-2/latents.safetensors')));
});

test('a picture holds its workflow, and makes the same again', async () => {
  const small = changed('01_ui_plain', 'EmptyLatentImage', () => [64, 64, 2]);
  const first = await run(at('model'), '--workflow', small, '--steps', '2', '--out', at('small-1'));
  assert.is(first.code, 0, first.stderr);
  const { files } = JSON.parse(first.stdout);
  const pictures = files.filter((name: string) => name.endsWith('.png'));
  assert.equal(pictures, ['picture-156680208700286-0.png', 'picture-156680208700286-1.png']);
  const again = await run(
    at('model'),
    '--workflow',
    at('small-1', pictures[1]),
    '--steps',
    '2',
    '--out',
    at('small-2'),
  );
  assert.is(again.code, 0, again.stderr);
  const byText = await run(at('model'), '--from', at('small-1', pictures[1]), '--out', at('small-3'));
  assert.is(byText.code, 0, byText.stderr);
  for (const other of ['small-2', 'small-3']) {
    assert.equal(
      readFileSync(at('small-1/latents.safetensors')),
      readFileSync(at(other, 'latents.safetensors')),
      other,
    );
  }
});

test('the workflow in a picture is that of the run that was, flags and all', async () => {
  const small = changed('01_ui_plain', 'EmptyLatentImage', () => [64, 64, 1]);
  const flags = ['--seed', '18446744073709551000', '--sampler', 'heun', '--in-strength', '9', '--steps', '2'];
  const first = await run(at('model'), '--workflow', small, ...flags, '--out', at('changed-1'));
  assert.is(first.code, 0, first.stderr);
  const again = await run(
    ...[at('model'), '--workflow', at('changed-1/picture-18446744073709551000.png')],
    ...['--out', at('changed-2')],
  );
  assert.is(again.code, 0, again.stderr);
  const { settings, parameters } = JSON.parse(again.stdout);
  assert.equal(
    [settings.seed, settings.scheduler.type, settings.steps, parameters.in_strength],
    ['18446744073709551000', 'heun', 2, 9],
  );
  assert.equal(readFileSync(at('changed-1/latents.safetensors')), readFileSync(at('changed-2/latents.safetensors')));
});

test('a run becomes a workflow, and that the same run', async () => {
  const small = changed('04_ui_advanced', 'EmptyLatentImage', () => [64, 64, 1]);
  const first = await run(at('model'), '--workflow', small, '--out', at('chain-1'));
  assert.is(first.code, 0, first.stderr);
  const { steps, next } = JSON.parse(first.stdout);
  assert.equal([steps.length, next.length, next[0].first_step, next[0].parameters], [10, 1, 6, null]);
  assert.equal(
    steps.map(({ index }: { index: number }) => index),
    steps.map((_: unknown, index: number) => index),
  );
  const written = await slothfulHere([
    'workflow',
    '--from',
    at('chain-1/run.json'),
    '--checkpoint',
    'tiny.safetensors',
  ]);
  assert.equal([written.code, written.stderr], [0, '']);
  writeFileSync(at('back.json'), written.stdout);
  const again = await run(at('model'), '--workflow', at('back.json'), '--out', at('chain-2'));
  assert.is(again.code, 0, again.stderr);
  assert.equal(readFileSync(at('chain-1/latents.safetensors')), readFileSync(at('chain-2/latents.safetensors')));
});

test('what a workflow of a run will not do is said', async () => {
  const first = await run(at('model'), '--prompt', 'a', '--size', '64x64', '--steps', '1', '--out', at('own'));
  assert.is(first.code, 0, first.stderr);
  const { code, stderr } = await slothfulHere(['workflow', '--from', at('own/run.json')]);
  assert.is(code, 0);
  assert.match(stderr, /the checkpoint is called model\.safetensors in it: --checkpoint gives ComfyUI's name/);
  assert.match(stderr, /the noise of a seed is another one in ComfyUI/);
  assert.match(stderr, /was diffusers' here, and is ComfyUI's there/);
});

const embedding = () => changed('01_ui_plain', 'CLIPTextEncode', () => ['a embedding:easynegative, b']);
const sampler = (name: string, scheduler: string) =>
  changed('01_ui_plain', 'KSampler', (values) => [...values.slice(0, 4), name, scheduler, 1]);
const clashing = () =>
  changed('04_ui_advanced', 'SlothfulAttentionSimple', (values) => [
    ...values.slice(0, 2),
    '2D_AVG',
    ...values.slice(3),
  ]);

/** One thing wrong each: exit code 1, one line, and nothing is written. */
const REFUSED: readonly [name: string, args: () => string[], line: RegExp][] = [
  [
    'no model',
    () => [at('none'), '--workflow', workflow('01_ui_plain')],
    /none: is not there; convert tiny\.safetensors into it, or give ComfyUI's folder/,
  ],
  [
    'no such checkpoint',
    () => [at('none'), '--workflow', workflow('01_ui_plain'), '--models', at('models/checkpoints')],
    /checkpoints\/checkpoints: is not there; give ComfyUI's folder of models/,
  ],
  [
    'a LoRA that is not in the model',
    () => [at('model'), '--workflow', workflow('02_ui_lora_primitive')],
    /model: has no LoRA first\.safetensors in it, and the workflow asks for it at 0\.8; convert with --lora first\.safetensors:0\.8:0\.6 /,
  ],
  [
    'nodes that are not known',
    () => [at('model'), '--workflow', workflow('06_ui_refuse')],
    /node 42 \(ControlNetApplyAdvanced\).*node 10 \(SlothfulAttention\)/,
  ],
  [
    'a sampler that is not built',
    () => [at('model'), '--workflow', sampler('seeds_2', 'karras')],
    /node 3: the sampler seeds_2 is not built; the nearest is dpmpp_sde/,
  ],
  [
    'sigmas that are not known',
    () => [at('model'), '--workflow', sampler('euler', 'align_your_steps')],
    /node 3: the scheduler align_your_steps is not built; there are normal,/,
  ],
  [
    'a textual inversion',
    () => [at('model'), '--workflow', embedding()],
    /node 3: "embedding:easynegative" in its prompt is not built/,
  ],
  [
    'an image that is not there',
    () => [at('model'), '--workflow', apiElsewhere()],
    /input picture\.png: is not there; the workflow starts from it; give it with --init-image/,
  ],
  [
    'two nodes that cannot follow each other',
    () => [at('model'), '--workflow', clashing()],
    /tokens are not those of the grid .*; take a 1D mode after a pass that pools/,
  ],
  [
    'a picture of no workflow',
    () => [at('model'), '--workflow', fixturePath('comfyui/workflows/input picture.png')],
    /is a PNG without a workflow of ComfyUI/,
  ],
  [
    'with --from',
    () => [at('model'), '--workflow', workflow('01_ui_plain'), '--from', 'x.png'],
    /--from: cannot be combined with --workflow/,
  ],
];

function apiElsewhere(): string {
  cpSync(workflow('03_api_img2img'), at('elsewhere.json'));
  return at('elsewhere.json');
}

for (const [index, [name, args, line]] of REFUSED.entries()) {
  test(`refuses ${name}`, async () => {
    const out = at(`refused-${index}`);
    const { code, stdout, stderr } = await run(...args(), '--out', out);
    assert.is(code, 1);
    assert.is(stdout, '');
    const lines = stderr.split('\n').filter((each) => each && !each.startsWith('note: '));
    assert.is(lines.length, 1, stderr);
    assert.match(lines[0] ?? '', line);
    assert.throws(() => readFileSync(join(out, 'run.json')), /ENOENT/);
  });
}

test.run();
