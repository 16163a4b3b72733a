import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { convertCheckpoint } from '../../converters/index.ts';
import { RunFolder } from '../../src/jobs/node.ts';
import { writeSafetensors } from '../../src/tensors/node.ts';
import { slothfulHere } from '../support/cli.ts';
import { failsWith } from '../support/errors.ts';
import { fixturePath } from '../support/fixtures.ts';
import { temporaryFolder } from '../support/temporary.ts';

const test = suite('what commands replace');

const folder = temporaryFolder();
const at = (name: string) => join(folder, name);

/** Every file of a folder, with what is in it. */
function contents(path: string): Record<string, string> {
  const names = readdirSync(path, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const files = names.map((entry) => join(entry.parentPath, entry.name)).sort();
  return Object.fromEntries(files.map((file) => [file, readFileSync(file, 'latin1')]));
}

test.before(async () => {
  await convertCheckpoint(fixturePath('demo'), at('demo'), { dataSpace: 'premultiplied-rgba' });
  cpSync(at('demo'), at('home'), { recursive: true });
  const unet = readdirSync(fixturePath('demo/unet')).find((name) => name.endsWith('.safetensors')) ?? '';
  cpSync(fixturePath(`demo/unet/${unet}`), at('home/my.safetensors'));
  cpSync(fixturePath('unet/sd15/diffusers/config.json'), at('home/config.json'));
  cpSync(fixturePath('unet/sd15/ldm.safetensors'), at('ldm.safetensors'));
  cpSync(at('demo'), at('listed'), { recursive: true });
  // A model.json may list anything: also what is read.
  cpSync(at('ldm.safetensors'), at('listed/lora.safetensors'));
  const model = JSON.parse(readFileSync(at('listed/model.json'), 'utf8'));
  model.weightsManifest.push({ paths: ['lora.safetensors'], weights: [] });
  writeFileSync(at('listed/model.json'), JSON.stringify(model));
  await writeSafetensors(at('in.safetensors'), new Map([['sample', { shape: [1], data: new Float32Array(1) }]]));
  mkdirSync(at('x'));
  writeFileSync(at('x/model.json'), '{}');
});

const REFUSED: ReadonlyArray<[title: string, args: () => string[], message: RegExp]> = [
  [
    'convert over the folder of its checkpoint',
    () => ['convert', at('home/my.safetensors'), at('home'), '--force'],
    /home: holds .*my\.safetensors, which this command reads/,
  ],
  [
    "convert over a model with somebody else's files",
    () => ['convert', at('ldm.safetensors'), at('home'), '--force'],
    /home: holds what its model\.json does not list \(config\.json, my\.safetensors\)/,
  ],
  [
    'convert over the folder of its LoRA',
    () => ['convert', at('ldm.safetensors'), at('listed'), '--lora', at('listed/lora.safetensors'), '--force'],
    /listed: holds .*lora\.safetensors, which this command reads/,
  ],
  [
    'convert over the folder of its config',
    () => ['convert', at('ldm.safetensors'), at('home'), '--config', at('home/config.json'), '--force'],
    /home: holds .*config\.json, which this command reads/,
  ],
  [
    'predict into its inputs',
    () => ['predict', at('demo'), '--inputs', at('in.safetensors'), '--out', at('in.safetensors'), '--force'],
    /in\.safetensors: is what this command reads/,
  ],
  [
    'predict over a file that is there',
    () => ['predict', at('demo'), '--inputs', at('in.safetensors'), '--out', at('ldm.safetensors')],
    /ldm\.safetensors: is there already; .*--force/,
  ],
  [
    'predict over a checkpoint',
    () => ['predict', at('demo'), '--inputs', at('in.safetensors'), '--out', at('ldm.safetensors'), '--force'],
    /ldm\.safetensors: is a file of another kind/,
  ],
  [
    'a page in the place of the model',
    () => ['inspect', at('demo'), '--html', at('demo/model.json'), '--force'],
    /demo\/model\.json: holds|demo\/model\.json: is (what this command reads|a file of another kind)/,
  ],
  [
    'a page in the place of another model',
    () => ['inspect', at('demo'), '--html', at('x/model.json'), '--force'],
    /x\/model\.json: is a file of another kind/,
  ],
];

for (const [title, args, message] of REFUSED) {
  test(`${title}: refused, and nothing is changed`, async () => {
    const before = contents(folder);
    const { code, stderr } = await slothfulHere(args());
    assert.is(code, 1, stderr);
    assert.match(stderr, message);
    assert.equal(contents(folder), before);
  });
}

test('a page is replaced with force', async () => {
  const write = () => slothfulHere(['inspect', at('demo'), '--html', at('page.html'), '--force']);
  for (const result of [await write(), await write()]) assert.is(result.code, 0, result.stderr);
});

/** A folder as `run` fills it. */
test('predict replaces what it wrote itself, and no other tensor of that name', async () => {
  const [inputs, out] = [at('latent.safetensors'), at('own.safetensors')];
  const values = (...shape: number[]) => ({ shape, data: new Float32Array(shape.reduce((a, b) => a * b)).fill(0.3) });
  const given = { sample: values(1, 4, 8, 8), encoder_hidden_states: values(1, 2, 64) };
  await writeSafetensors(inputs, new Map(Object.entries(given)));
  const args = ['predict', at('demo'), '--inputs', inputs, '--timestep', '1', '--backend', 'wasm', '--out', out];
  const first = await slothfulHere(args);
  assert.is(first.code, 0, first.stderr);
  const again = await slothfulHere(args);
  assert.is(again.code, 0, again.stderr);
  const other = new Map([['out_sample', { shape: [1], data: new Float32Array(1) }]]);
  await writeSafetensors(out, other);
  const { code, stderr } = await slothfulHere(args);
  assert.is(code, 1);
  assert.match(stderr, /own\.safetensors: is there already; .*--force/);
  rmSync(out);
});

async function fill(out: string, prompt: string, isWhole: boolean, notes: string[] = []): Promise<string> {
  const options = { name: 'run', record: 'run.json', force: true, onNote: (note: string) => notes.push(note) };
  const run = await RunFolder.open(out, options);
  const work = async () => {
    await run.write(`${prompt}.png`, prompt);
    await run.finish({ schema: 'slothful-run/1', files: run.files });
  };
  await run.during(work, () => isWhole);
  return run.path;
}

test('an earlier run stays where the next is not whole, and that is kept beside it', async () => {
  const out = at('run');
  await fill(out, 'cat', true);
  const notes: string[] = [];
  const kept = await fill(out, 'sloth', false, notes);
  assert.is(kept, `${out}-unfinished-1`);
  assert.equal(
    [readdirSync(out), readdirSync(kept)],
    [
      ['cat.png', 'run.json'],
      ['run.json', 'sloth.png'],
    ],
  );
  assert.match(notes.join(), /run stays as it was; what was done is in .*run-unfinished-1/);
  await fill(out, 'owl', true);
  assert.equal(readdirSync(out), ['owl.png', 'run.json']);
  writeFileSync(join(out, 'diary.txt'), 'dear');
  await failsWith('exists', /does not list \(diary\.txt\)/, () => fill(out, 'cat', true));
});

test('what was computed is kept where something came into the earlier folder meanwhile', async () => {
  const out = at('meanwhile');
  await fill(out, 'cat', true);
  const run = await RunFolder.open(out, { name: 'run', record: 'run.json', force: true });
  const work = async () => {
    await run.finish({ schema: 'slothful-run/1', files: [] });
    writeFileSync(join(out, 'diary.txt'), 'dear');
  };
  await failsWith('exists', /does not list \(diary\.txt\)/, () => run.during(work, () => true));
  assert.is(readFileSync(join(out, 'diary.txt'), 'utf8'), 'dear');
  assert.equal(readdirSync(`${out}-unfinished-1`), ['run.json']);
});

test('runs that take the next free folder at the same time take different ones', async () => {
  const cwd = process.cwd();
  process.chdir(folder);
  try {
    const options = { name: 'both', record: 'run.json' };
    const both = [await RunFolder.open(undefined, options), await RunFolder.open(undefined, options)];
    await Promise.all(both.map((run) => run.write('a.txt', 'a')));
    assert.equal(both.map(({ path }) => path).sort(), [join('out', 'both-1'), join('out', 'both-2')]);
    assert.ok(existsSync(join('out', 'both-2', 'a.txt')));
  } finally {
    process.chdir(cwd);
  }
});

test.run();
