import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { convertCheckpoint } from '../../converters/index.ts';
import { readModel, slothful as slothfulPass, writeModel } from '../../src/node.ts';
import { slothfulHere as slothful } from '../support/cli.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { unetGoldens } from '../support/unet-goldens.ts';

const test = suite('inspect, plan and diff on the command line');

const folder = temporaryFolder();
const plain = join(folder, 'plain');
const patched = join(folder, 'patched');
const lone = join(folder, 'lone');

test.before(async () => {
  await convertCheckpoint(unetGoldens('ssd1b').diffusers, plain);
  const source = await readModel(plain);
  await source.loadConstants();
  await source.graph.transform(slothfulPass({ in_strength: 8 }));
  await writeModel(source.graph, patched, { shardsFrom: source });
  mkdirSync(lone);
  writeFileSync(join(lone, 'model.json'), readFileSync(join(plain, 'model.json')));
});

test('inspect: JSON of a lone model.json, without its weights', async () => {
  const { code, stdout, stderr } = await slothful(['inspect', lone, '--size', '512x768', '--json']);
  assert.equal([code, stderr], [0, '']);
  const report = JSON.parse(stdout);
  assert.is(report.schema, 'slothful-inspect/3');
  assert.equal(report.size, {
    rows: 96,
    columns: 64,
    batch: 1,
    context_tokens: 77,
    pixels: { width: 512, height: 768 },
  });
  assert.is(report.sites.length, 68);
  assert.equal(report.sites[0].grid, [48, 32]);
});

test('inspect: a table for people, with a page beside it', async () => {
  const page = join(folder, 'inspect.html');
  const { code, stdout, stderr } = await slothful(['inspect', patched, '--latent', '24x40', '--html', page]);
  assert.equal([code, stderr], [0, `wrote ${page}\n`]);
  assert.match(stdout, /Attentions at 320 x 192 pixels, batch 1\n/);
  assert.match(stdout, /\ninput\.1\.0\.0 +self +input +1 +24 +3 x 8 +12 x 20 +240 +240 +24 .* yes\n/);
  assert.match(stdout, /34 self-attentions +\d+ +[\d.]+ % /);
  assert.match(readFileSync(page, 'utf8'), /^<!doctype html>/);
  const again = await slothful(['inspect', patched, '--html', page]);
  assert.equal([again.code, again.stdout], [1, '']);
  assert.match(again.stderr, /is there already; .*--force\n$/);
});

test('inspect --site: DOT before and after', async () => {
  const { code, stdout, stderr } = await slothful(['inspect', plain, '--site', 'down.1.0', '--dot']);
  assert.equal([code, stderr], [0, '']);
  assert.match(stdout, /^digraph slothful/);
  assert.match(stdout, /input\.1\.0\.0 after the patch/);
  assert.match(stdout, /SlothfulAttention/);
});

test('plan: CSV, a row a site and step', async () => {
  const args = ['--steps', '3', '--scheduler', 'ddim', '--in-strength', '8', '--csv'];
  const { code, stdout, stderr } = await slothful(['plan', lone, ...args]);
  assert.equal([code, stderr], [0, '']);
  const lines = stdout.trimEnd().split('\r\n');
  assert.is(lines.length, 1 + 34 * 3);
  assert.match(lines[0] ?? '', /^id,exporter_name,step,timestep,sigma,asked,stride_rows,.*,plain_flops,patched_flops,/);
  assert.match(lines[1] ?? '', /^input\.1\.0\.0,down_blocks\/1\/attentions\/0\/transformer_blocks\/0\/attn1,1,667,/);
});

test("plan: Markdown, with the patched model's own parameters", async () => {
  const { code, stdout, stderr } = await slothful(['plan', patched, '--steps', '2', '--md']);
  assert.equal([code, stderr], [0, '']);
  assert.match(stdout, /^# Plan for /);
  assert.match(stdout, /\| in\\_strength \| 8 \|/);
  assert.match(stdout, /\| keep\\_middle \| the model has no self-attention in its middle block \|/);
});

test('diff: what a patch changed, and that the weights are shared', async () => {
  const { code, stdout, stderr } = await slothful(['diff', plain, patched, '--json']);
  assert.equal([code, stderr], [0, '']);
  const report = JSON.parse(stdout);
  assert.is(report.schema, 'slothful-diff/3');
  assert.is(report.weights.compared_by, 'bytes');
  assert.equal([report.weights.different, report.weights.shared], [[], report.weights.equal]);
  const changes = report.sites.map((site: { kind: string; change: string }) => `${site.kind} ${site.change}`);
  assert.equal([...new Set(changes)].sort(), ['cross same_result', 'self patched']);
});

test('diff: other bytes are found; without the files, shapes are compared and a note says so', async () => {
  const other = join(folder, 'other');
  await convertCheckpoint(unetGoldens('ssd1b').diffusers, other, { force: true });
  const shard = join(other, 'weights-00001.bin');
  const bytes = readFileSync(shard);
  bytes[bytes.length - 1] = (bytes[bytes.length - 1] ?? 0) ^ 1;
  writeFileSync(shard, bytes);
  const changed = await slothful(['diff', plain, other, '--json']);
  const { weights } = JSON.parse(changed.stdout);
  assert.equal([weights.different.length, weights.shared], [1, 0]);
  const without = await slothful(['diff', plain, lone]);
  assert.is(without.code, 0);
  assert.match(without.stderr, /^note: the bytes of weights were not compared: /);
  assert.match(without.stdout, /of the same shape and type \(bytes not read\)/);
});

/** What is wrong, and the line that says so. */
const MISTAKES: readonly (readonly [string[], RegExp])[] = [
  [['inspect', lone, '--size', '500x500'], /--size: 500x500 is not a multiple of 8 pixels; 504x504 is near it/],
  [['inspect', lone, '--size', 'big'], /--size: cannot read "big"; write WxH, such as 512x768/],
  [['inspect', lone, '--json', '--csv'], /--json --csv: cannot all be printed at once; give one/],
  [['inspect', lone, '--dot'], /--dot: needs to know which attention; add --site/],
  [['plan', lone, '--steps', '0'], /steps: must be an integer from 1 to 1000, got 0/],
  [['plan', lone, '--in-strenght', '4'], /unknown argument "in-?strenght"; did you mean --in-strength\?/i],
];

for (const [args, message] of MISTAKES) {
  test(`${args.slice(0, 1)} ${args.slice(2).join(' ')}: one line, exit code 1`, async () => {
    const { code, stdout, stderr } = await slothful(args);
    assert.equal([code, stdout], [1, '']);
    assert.match(stderr, message);
    assert.is(stderr.trimEnd().split('\n').length, 1);
  });
}

test.run();
