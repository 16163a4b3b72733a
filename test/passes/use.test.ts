import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PNG } from 'pngjs';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { convertCheckpoint } from '../../converters/index.ts';
import { slothful } from '../support/cli.ts';
import { fixturePath } from '../support/fixtures.ts';
import { temporaryFolder } from '../support/temporary.ts';

const test = suite('a pass of a user, on every command');
const folder = temporaryFolder();
const at = (name: string) => join(folder, name);
const USE = ['--use', fixturePath('passes/zero-mask.mjs')];
const RUN = ['--prompt', 'cat', '--steps', '2', '--backend', 'wasm'];

test.before(async () => {
  await convertCheckpoint(fixturePath('demo'), at('plain'), { dataSpace: 'premultiplied-rgba' });
});

async function run(...args: string[]) {
  const result = await slothful(args);
  assert.is(result.code, 0, result.stderr);
  return result;
}

async function json(...args: string[]) {
  return JSON.parse((await run(...args, '--json')).stdout);
}

test('patch applies it beside Slothful Attention, and alone', async () => {
  const both = await json(
    'patch',
    at('plain'),
    at('both'),
    ...USE,
    '--in-strength',
    '9',
    '--pass',
    'zero-mask,strength=2',
  );
  assert.equal(both.passes, ['attention', 'slothful', 'zero-mask']);
  assert.is(both.results['zero-mask'].sites.length, 16);
  assert.is(both.parameters.in_strength, 9);
  const alone = await json('patch', at('plain'), at('alone'), ...USE, '--zero-mask-strength', '3');
  assert.equal(alone.passes, ['attention', 'zero-mask']);
  assert.is(alone.parameters, null);
});

test('inspect and diff name it', async () => {
  const report = await json('inspect', at('both'));
  const { options } = report.passes.find(({ name }: { name: string }) => name === 'zero-mask');
  assert.equal(options, { strength: 2 });
  assert.equal(report.sites[0].stages, ['slothful', 'zero-mask']);
  const diff = await json('diff', at('alone'), at('both'));
  assert.equal(diff.b.passes, ['attention', 'slothful', 'zero-mask']);
  const strength = diff.parameters.find(({ name }: { name: string }) => name === 'zero-mask.strength');
  assert.equal([strength.a, strength.b], ['3', '2']);
  assert.match(diff.sites[0].details.join(), /stages zero-mask -> slothful, zero-mask/);
});

test('plan foresees it, and run does what was planned', async () => {
  const asked = [at('both'), ...USE, '--zero-mask-strength', '4', ...RUN];
  const plan = await json('plan', ...asked);
  assert.equal(plan.passes, { 'zero-mask': { strength: 4 } });
  assert.equal(plan.sites[0].steps[0].passes, { 'zero-mask': { strength: 4 } });
  const done = await json('run', ...asked, '--out', at('run'));
  assert.equal(done.passes, plan.passes);
  assert.equal(done.steps[0].sites[0].passes, { 'zero-mask': { strength: 4 } });
  const planned = plan.sites.filter(({ kind }: { kind: string }) => kind === 'self');
  assert.equal(
    done.steps.map(({ sites }: { sites: { kv_tokens: number }[] }) => sites.map(({ kv_tokens }) => kv_tokens)),
    [0, 1].map((step) => planned.map(({ steps }: { steps: { kv_tokens: number }[] }) => steps[step]?.kv_tokens)),
  );
  assert.equal(done.attention_flops, plan.run.self_flops);
});

test('it is put into a plain model as it loads, and changes nothing of the picture', async () => {
  await run('run', at('plain'), ...RUN, '--out', at('without'));
  const { stdout } = await run('run', at('plain'), ...USE, '--pass', 'zero-mask', ...RUN, '--out', at('with'));
  assert.match(stdout, /pass zero-mask: strength 1/);
  const [without, withPass] = ['without', 'with'].map((name) =>
    PNG.sync.read(readFileSync(at(`${name}/picture-0.png`))),
  );
  assert.equal(withPass?.data, without?.data);
});

test('sweep goes through its parameters', async () => {
  const axis = ['--x', 'zero_mask_strength=0,2', '--y', 'in_strength=0,9'];
  const swept = await json('sweep', at('both'), ...USE, ...RUN, ...axis, '--out', at('sweep'));
  assert.equal(
    swept.cells.map(({ passes, parameters }: { passes: object; parameters: { in_strength: number } }) => {
      return [passes, parameters.in_strength];
    }),
    [
      [{ 'zero-mask': { strength: 0 } }, 0],
      [{ 'zero-mask': { strength: 2 } }, 0],
      [{ 'zero-mask': { strength: 0 } }, 9],
      [{ 'zero-mask': { strength: 2 } }, 9],
    ],
  );
  assert.is(swept.cells[3].measures.psnr, swept.cells[2].measures.psnr, 'zeros change nothing');
});

test('the example of the documentation runs as it says, and shows', async () => {
  const example = ['--use', fixturePath('../docs/examples/temperature.mjs'), '--pass', 'temperature,temperature=0.3'];
  const { stdout } = await run('run', at('plain'), ...example, ...RUN, '--compare', '--out', at('sharper'));
  assert.match(stdout, /pass temperature: temperature 0.3, fade true/);
  const [measures] = JSON.parse(readFileSync(at('sharper/run.json'), 'utf8')).measures;
  assert.ok(measures.psnr < 60, `PSNR ${measures.psnr}`);
  const text = readFileSync(fixturePath('../docs/examples/temperature.mjs'), 'utf8');
  assert.ok(text.split('\n').length <= 40, 'about 30 lines');
});

test('its flags are in the help', async () => {
  const { stdout } = await run('run', ...USE, '--help');
  assert.match(stdout, /zero-mask \(adds zeros to the logits\)/);
  assert.match(stdout, /--zero-mask-strength\s+what the zeros are multiplied by \(0 to 10\)/);
});

const WRONG: readonly (readonly [what: string, args: () => string[], message: RegExp])[] = [
  ['a model whose pass was not brought', () => ['run', at('both'), ...RUN], /there is no pass "zero-mask"; known are/],
  ['a pass that nobody knows', () => ['run', at('plain'), '--pass', 'zero-masks', ...RUN], /no pass "zero-masks"/],
  [
    'a parameter that it does not have',
    () => ['plan', at('plain'), ...USE, '--pass', 'zero-mask,weight=1'],
    /unknown parameter "weight"/,
  ],
  [
    'a value out of range',
    () => ['plan', at('plain'), ...USE, '--zero-mask-strength', '99'],
    /strength must be a number from 0 to 10, got 99/,
  ],
  [
    'a file that is not there',
    () => ['plan', at('plain'), '--use', at('none.mjs')],
    /--use .*none.mjs: cannot be loaded/,
  ],
  [
    'a file that exports no pass',
    () => ['plan', at('plain'), '--use', at('other.mjs')],
    /other.mjs: is not an object; export/,
  ],
  ['Slothful Attention by --pass', () => ['plan', at('plain'), '--pass', 'slothful'], /has flags of its own/],
];

for (const [what, args, message] of WRONG) {
  test(`one clear line for ${what}`, async () => {
    writeFileSync(at('other.mjs'), 'export const pass = {};\n');
    const { code, stdout, stderr } = await slothful(args());
    assert.is(code, 1);
    assert.is(stdout, '');
    assert.match(stderr, message);
    assert.is(
      stderr
        .trim()
        .split('\n')
        .filter((line) => line.startsWith('slothful:')).length,
      1,
      stderr,
    );
  });
}

test.run();
