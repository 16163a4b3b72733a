import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { localPath } from '../../src/models/node.ts';
import { loadUNet, openDocument, openModel } from '../../src/node.ts';
import { slothfulHere } from '../support/cli.ts';
import { failsWith } from '../support/errors.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { tinyGraph, writeTiny } from '../support/tiny-model.ts';

const test = suite('models named by file URLs');

const folder = temporaryFolder();
const ODD = ['my models', 'sd#15', '100% real', 'модель', 'a?b'];

test.before(() => {
  const { graph, weights } = tinyGraph();
  for (const name of ODD) {
    mkdirSync(join(folder, name), { recursive: true });
    writeTiny(join(folder, name), graph, weights);
  }
});

const PATHS: ReadonlyArray<readonly [source: string | URL, path: string]> = [
  ['file:///models/sd%2015/model.json', '/models/sd 15/model.json'],
  ['FILE:///models/%D0%BC%23', '/models/м#'],
  ['file://localhost/models/a', '/models/a'],
  [new URL('file:///a%25b/c'), '/a%b/c'],
  ['file://./model/a%20b', './model/a b'],
  ['file://../model', '../model'],
  ['models/100% real', 'models/100% real'],
  ['/a/file:/b', '/a/file:/b'],
  ['file', 'file'],
  ['https://example.org/a%20b', 'https://example.org/a%20b'],
  [new URL('https://example.org/a%20b'), 'https://example.org/a%20b'],
];
for (const [source, path] of PATHS) test(`${source} is ${path}`, () => assert.is(localPath(source), path));

for (const url of [
  'file://server/models/sd',
  'file://model/model.json',
  'file:///a%2Fb',
  'file:///a%zz',
  'file://./%zz',
]) {
  test(`${url} is refused in one line`, () =>
    failsWith('bad-input', /names no file of this machine \(.*\); write file:\/\/\/folder\/model\.json/, () =>
      localPath(url),
    ));
}

test('a UNet is loaded by URL, as a text and as an object', async () => {
  for (const name of ODD) {
    const url = pathToFileURL(join(folder, name));
    for (const source of [url, url.href, new URL(`${url.href}/model.json`)]) {
      const unet = await loadUNet(source, { backend: 'cpu' });
      unet.dispose();
    }
  }
  const url = pathToFileURL(join(folder, 'sd#15'));
  assert.is((await openModel(url)).place, join(folder, 'sd#15', 'model.json'));
  assert.is((await openDocument(url)).place, join(folder, 'sd#15', 'model.json'));
});

test('commands take them for every file, and leave words alone', async () => {
  const url = pathToFileURL(join(folder, 'sd#15')).href;
  const inspected = await slothfulHere(['inspect', url, '--json']);
  assert.is(inspected.code, 0, inspected.stderr);
  assert.is(JSON.parse(inspected.stdout).model, join(folder, 'sd#15', 'model.json'));
  const away = await slothfulHere(['inspect', 'file://server/model']);
  assert.match(away.stderr, /^slothful: file:\/\/server\/model: names no file of this machine/);
  const missing = pathToFileURL(join(folder, 'no such.png')).href;
  const image = await slothfulHere(['plan', url, '--init-image', missing, '--prompt', 'file://server/words']);
  assert.match(image.stderr, /no such\.png: /);
});

test.run();
