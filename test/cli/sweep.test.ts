import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PNG } from 'pngjs';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { convertCheckpoint } from '../../converters/index.ts';
import { writeSafetensors } from '../../src/tensors/node.ts';
import { slothfulHere as slothful } from '../support/cli.ts';
import { fixturePath } from '../support/fixtures.ts';
import { interrupted } from '../support/interrupt.ts';
import { readPublished } from '../support/published.ts';
import { temporaryFolder } from '../support/temporary.ts';

const test = suite('slothful sweep');

const folder = temporaryFolder();
const at = (name: string) => join(folder, name);

test.before(async () => {
  await convertCheckpoint(fixturePath('demo'), at('demo'), { dataSpace: 'premultiplied-rgba' });
  writeFileSync(at('strong.json'), '{"in_strength": 20, "out_strength": 20}');
  await writeSafetensors(
    at('cond.safetensors'),
    new Map([['text', { shape: [1, 4, 64], data: new Float32Array(256) }]]),
  );
});

function record(name: string) {
  return readPublished('sweep-1', at(`${name}/sweep.json`));
}

test('two axes become a sheet, a page and a table', async () => {
  const axes = ['--x', 'in_strength=0,12', '--y', 'prompt=cat,red apple'];
  const { code, stdout, stderr } = await slothful([
    ...['sweep', at('demo'), ...axes, '--steps', '2', '--out-strength', '0', '--out', at('two'), '--backend', 'wasm'],
  ]);
  assert.is(code, 0, stderr);
  assert.match(stdout, /\nin_strength +prompt +PSNR, dB/);
  assert.match(stdout, /two: sheet\.png, index\.html, measures\.csv, sweep\.json\n$/);
  assert.equal(readdirSync(at('two')).sort(), ['index.html', 'measures.csv', 'sheet.png', 'sweep.json']);
  const { cells, stopped, axes: found } = record('two');
  assert.equal([cells.length, stopped, found[1].values], [4, false, ['cat', 'red apple']]);
  const [none, some] = cells;
  // In the demo's data a strength of 0 is the unpatched model to the last pixel.
  assert.equal([none.measures.psnr, none.parameters.in_strength, none.parameters.out_strength], [null, 0, 0]);
  assert.ok(some.measures.psnr > 20);
  assert.ok(some.attention_flops < some.plain_attention_flops);
  assert.is(none.attention_flops, none.plain_attention_flops);
  assert.is(readFileSync(at('two/measures.csv'), 'utf8').trim().split('\r\n').length, 5);
  // Label column, plain pictures and two columns, each 32 x 32 enlarged 6 times.
  const sheet = PNG.sync.read(readFileSync(at('two/sheet.png')));
  assert.ok(sheet.width > 3 * 192 && sheet.height > 2 * 192);
  assert.match(readFileSync(at('two/index.html'), 'utf8'), /prefers-color-scheme: dark/);
});

test('presets, from a file too, and --json', async () => {
  const axis = `preset=off,simple,${at('strong.json')}`;
  const args = ['sweep', at('demo'), '--y', axis, '--prompt', 'cat', '--steps', '1', '--sampler', 'euler'];
  const { code, stdout, stderr } = await slothful([...args, '--json', '--out', at('presets'), '--backend', 'wasm']);
  assert.is(code, 0, stderr);
  const { cells, source } = JSON.parse(stdout);
  assert.is(source.prompt, 'cat');
  assert.equal(
    cells.map(({ parameters }: { parameters: { in_strength: number } | null }) => parameters?.in_strength),
    [undefined, 6, 20],
  );
  assert.equal([cells[0].kv_tokens, cells[0].measures.psnr], [null, null]);
  assert.is(cells[1].settings.scheduler.type, 'euler');
});

test('Ctrl-C keeps the combinations that are done', async () => {
  const seeds = Array.from({ length: 400 }, (_, seed) => seed).join(',');
  const args = ['sweep', at('demo'), '--x', `seed=${seeds}`, '--prompt', 'cat', '--steps', '1', '--out', at('stopped')];
  const { code, stderr } = await interrupted([...args, '--backend', 'wasm'], (result) =>
    /^sweeping 400/m.test(result.stderr),
  );
  assert.is(code, 130, stderr);
  assert.match(stderr.trim(), /stopped: stopped after \d+ of 400 combinations; what was done is there$/);
  const { stopped, cells, files } = record('stopped');
  assert.is(stopped, true);
  assert.ok(cells.length < 400);
  assert.equal(readdirSync(at('stopped')).sort(), [...files, 'sweep.json'].sort());
});

const REFUSED: readonly (readonly [title: string, args: string[], stderr: RegExp])[] = [
  ['no axis', ['--prompt', 'cat'], /--x: is missing; say what to go through/],
  [
    'an axis of nothing',
    ['--prompt', 'cat', '--x', 'in_strenght=1'],
    /--x: "in_strenght".*did you mean "in_strength"\?/,
  ],
  ['a value out of range', ['--prompt', 'cat', '--y', 'in_strength=1,99'], /--y in_strength: .* from 0 to 50, got 99/],
  ['one axis twice', ['--prompt', 'cat', '--x', 'seed=1', '--y', 'seed=2'], /--y: goes through seed as --x does/],
  ['an unknown word in an axis', ['--x', 'prompt=cat,slot'], /the word "slot"; did you mean "sloth"\?/],
  ['steps that a sampler cannot take', ['--prompt', 'cat', '--x', 'steps=1,1001'], /steps: must be .* got 1001/],
  ['a preset that is not there', ['--prompt', 'cat', '--x', 'preset=nothing.json'], /nothing\.json: cannot be read/],
  [
    'prompts beside tensors',
    ['--cond', at('cond.safetensors'), '--x', 'prompt=cat'],
    /--cond: cannot be combined with an axis of prompts/,
  ],
];

for (const [title, args, stderr] of REFUSED) {
  test(`${title}: one line, exit code 1, nothing written`, async () => {
    const result = await slothful(['sweep', at('demo'), '--out', at('none'), ...args, '--backend', 'wasm']);
    assert.is(result.code, 1, result.stderr);
    assert.is(result.stdout, '');
    assert.match(result.stderr, stderr);
    assert.is(result.stderr.trim().split('\n').length, 1);
    assert.not.ok(readdirSync(folder).includes('none'));
  });
}

test.run();
