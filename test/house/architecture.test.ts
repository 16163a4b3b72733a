import { existsSync, readFileSync } from 'node:fs';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { architectureFiles } from '../../scripts/architecture/documents.ts';
import { WAYS } from '../../scripts/architecture/pictures.ts';
import { folderOf, ROOMS, withoutShortcuts } from '../../scripts/architecture/rooms.ts';

const test = suite('architecture');

const ROOT = new URL('../../', import.meta.url);
const textOf = (path: string) => readFileSync(new URL(path, ROOT), 'utf8').replaceAll('\r\n', '\n');

for (const [path, text] of architectureFiles()) {
  test(`${path} is what \`npm run architecture\` writes`, () => {
    assert.ok(text.length > 1000);
    assert.is(textOf(path), text);
  });
}

test('every room has its line in the README', () => {
  const readme = textOf('README.md');
  const missing = ROOMS.filter(
    ({ name, about }) => !new RegExp(`^${folderOf(name)}/ +`, 'm').test(readme) || !readme.includes(about),
  );
  assert.equal(missing, []);
});

test('each function on the way of the data is there, in its room', async () => {
  const lost: string[] = [];
  for (const { room, name } of WAYS) {
    const module: unknown = await import(new URL(`${folderOf(room)}/index.ts`, ROOT).href);
    if (typeof module !== 'object' || module === null || !(name in module)) lost.push(`${room} ${name}`);
  }
  assert.equal(lost, []);
});

test('an edge that follows from others is left out', () => {
  const edges = new Map([
    ['a', ['b', 'c', 'd']],
    ['b', ['c']],
    ['c', ['d']],
    ['d', []],
    ['e', ['a', 'd']],
  ]);
  const kept = [...withoutShortcuts(edges)].map(([room, others]) => `${room}:${others}`);
  assert.equal(kept, ['a:b', 'b:c', 'c:d', 'd:', 'e:a']);
});

for (const path of ['README.md', 'CONTRIBUTING.md', 'docs/architecture.md', 'docs/report-schema.md']) {
  test(`${path} names only what is there`, () => {
    const text = textOf(path);
    const folder = path.slice(0, path.lastIndexOf('/') + 1);
    const links = [...text.matchAll(/\]\((?!https?:|#)([^)#\s]+)/g)].map(([, link = '']) => `${folder}${link}`);
    const named = [...text.matchAll(/`((?:src|converters|scripts|test|docs)\/[\w/.-]+)`/g)].map(
      ([, name = '']) => name,
    );
    const all = [...links, ...named];
    assert.ok(all.length > 0);
    assert.equal(
      all.filter((each) => !existsSync(new URL(each, ROOT))),
      [],
    );
  });
}

test.run();
