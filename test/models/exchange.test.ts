import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { hiddenSibling } from '../../src/models/hidden-names.ts';
import { atomicDirectory, atomicFile, readModel, settle } from '../../src/models/node.ts';
import { failsWith } from '../support/errors.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { tinyGraph, writeTiny } from '../support/tiny-model.ts';

const test = suite('folders that take the place of others');

const DEAD_PID = 2 ** 22 + 9;

/** A hidden name as another process gives it. */
function hidden(target: string, phase: Parameters<typeof hiddenSibling>[1], pid = DEAD_PID): string {
  return hiddenSibling(target, phase).replace(`-${process.pid}-`, `-${pid}-`);
}

/** A folder with a model.json that tells it from others. */
function folder(path: string, content: string): void {
  mkdirSync(path);
  writeFileSync(join(path, 'model.json'), JSON.stringify({ content }));
}

const contentOf = (path: string) => JSON.parse(readFileSync(join(path, 'model.json'), 'utf8')).content;

/** What is said on stderr meanwhile. */
async function said(action: () => Promise<unknown>): Promise<string> {
  const before = console.error;
  let text = '';
  console.error = (line: unknown) => {
    text += `${line}\n`;
  };
  await action().finally(() => {
    console.error = before;
  });
  return text;
}

test('killed before the new one has the name: the next reader gives it', async () => {
  const root = temporaryFolder();
  const target = join(root, 'model');
  folder(hidden(target, 'whole'), 'new');
  folder(hidden(target, 'old'), 'old');
  const lines = await said(() => settle(join(target, 'model.json')));
  assert.is(contentOf(target), 'new');
  assert.match(lines, /model: a command was stopped while it replaced this; the new one was complete and has the name/);
  assert.match(lines, /\.model\.old-.*, which a stopped command left, was removed/);
  assert.equal(readdirSync(root), ['model']);
});

test('the old one comes back where there is no new one', async () => {
  const root = temporaryFolder();
  folder(hidden(join(root, 'model'), 'old'), 'old');
  mkdirSync(hidden(join(root, 'model'), 'new'));
  assert.match(await said(() => settle(join(root, 'model'))), /the old one is back/);
  assert.is(contentOf(join(root, 'model')), 'old');
  assert.equal(readdirSync(root), ['model']);
});

test('a reader finds the model that a killed command left', async () => {
  const root = temporaryFolder();
  const { graph, weights } = tinyGraph();
  writeTiny(hidden(join(root, 'model'), 'whole'), graph, weights);
  const lines = await said(async () => assert.ok((await readModel(join(root, 'model'))).graph.size > 3));
  assert.match(lines, /^note: .*model: a command was stopped/);
});

test('what is at work is left alone, and what may be is named', async () => {
  const root = temporaryFolder();
  const target = join(root, 'model');
  folder(target, 'own');
  const atWork = [hiddenSibling(target, 'new'), hidden(target, 'new', process.ppid)];
  const others = [
    hidden(target, 'new').replace(/new-[0-9a-f]{8}/, 'new-00000000'),
    join(root, '.model.old-77-abcd1234'),
  ];
  for (const path of [...atWork, ...others]) mkdirSync(path);
  const lines = await said(() => settle(target));
  assert.equal(readdirSync(root).sort(), [...atWork, ...others, target].map((path) => basename(path)).sort());
  for (const path of others)
    assert.ok(lines.includes(`beside it is ${basename(path)}, of an earlier version or another`));
  assert.is(lines.trim().split('\n').length, others.length);
});

test('two that replace the same folder at once: each is whole, and nothing is left', async () => {
  const root = temporaryFolder();
  const target = join(root, 'model');
  folder(target, 'first');
  const write = (content: string) =>
    atomicDirectory(target, { force: true }, async (path) => {
      writeFileSync(join(path, 'model.json'), JSON.stringify({ content }));
    });
  for (let round = 0; round < 20; round++) await Promise.all(['a', 'b', 'c'].map((name) => write(name + round)));
  assert.match(contentOf(target), /^[abc]19$/);
  assert.equal(readdirSync(root), ['model']);
});

test('two that make the same folder at once without force: one is refused', async () => {
  const target = join(temporaryFolder(), 'model');
  const write = () => atomicDirectory(target, {}, async (path) => writeFileSync(join(path, 'model.json'), '{}'));
  const done = await Promise.allSettled([write(), write()]);
  assert.equal(done.map(({ status }) => status).sort(), ['fulfilled', 'rejected']);
  const refused = done.find((each) => each.status === 'rejected');
  assert.match(String(refused?.reason), /model: is there already; .*--force/);
});

test('a link to nowhere is told of as one', async () => {
  const root = temporaryFolder();
  symlinkSync('nowhere', join(root, 'link'));
  const said = /link: is a link to "nowhere", which is not there; make what it points to, or remove the link/;
  await failsWith('io', said, () => atomicFile(join(root, 'link'), 'x', { force: true }));
  await failsWith('io', said, () => atomicDirectory(join(root, 'link'), { force: true }, async () => undefined));
  await failsWith('io', said, () => atomicDirectory(join(root, 'link/inside'), {}, async () => undefined));
  await failsWith('io', said, () => readModel(join(root, 'link')));
  assert.equal(readdirSync(root), ['link']);
});

test('a link keeps pointing at what is replaced behind it', async () => {
  const root = temporaryFolder();
  folder(join(root, 'model'), 'old');
  symlinkSync('model', join(root, 'link'));
  const fill = async (path: string) => writeFileSync(join(path, 'model.json'), '{"content":"new"}');
  await atomicDirectory(join(root, 'link'), { force: true }, fill);
  assert.is(contentOf(join(root, 'model')), 'new');
  assert.equal(readdirSync(root).sort(), ['link', 'model']);
});

test('a file is replaced only by its like', async () => {
  const root = temporaryFolder();
  writeFileSync(join(root, 'model.json'), '{}');
  const write = () => atomicFile(join(root, 'model.json'), 'x', { force: true, isOurs: async () => false });
  await failsWith('exists', /is a file of another kind/, write);
  await failsWith('exists', /is a device or a pipe/, () => atomicFile('/dev/null', 'x', { force: true }));
  assert.is(readFileSync(join(root, 'model.json'), 'utf8'), '{}');
});

test('parents that were made for nothing are taken away again', async () => {
  const root = temporaryFolder();
  const fails = () => Promise.reject(new Error('on purpose'));
  await atomicDirectory(join(root, 'deep/er/out'), {}, fails).then(assert.unreachable, () => undefined);
  assert.not.ok(existsSync(join(root, 'deep')));
});

test.run();
