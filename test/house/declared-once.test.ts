import { readFileSync } from 'node:fs';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { houseFiles } from '../../scripts/architecture/imports.ts';
import { BACKEND_NAMES } from '../../src/backends/index.ts';
import { FAMILIES } from '../../src/families/index.ts';

const test = suite('declared once');

const ROOT = new URL('../../', import.meta.url);

/** The sources of the package, without their comments. */
const SOURCES = houseFiles()
  .filter((file) => /^(src|converters)\//.test(file))
  .map((file) => ({ file, code: withoutComments(readFileSync(new URL(file, ROOT), 'utf8')) }));

function withoutComments(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/^\s*\/\/.*$/gm, '');
}

function filesWith(pattern: RegExp): string[] {
  return SOURCES.filter(({ code }) => pattern.test(code)).map(({ file }) => file);
}

for (const { name, title } of FAMILIES) {
  test(`the family ${name} has its name and title from one file`, () => {
    assert.equal(filesWith(new RegExp(`['"]${name}['"]`)), [`src/families/${name}.ts`]);
    // "SDXL" is also what people call a generation and its refiner.
    if (title === 'SDXL') return;
    assert.equal(filesWith(new RegExp(`${title.replaceAll('.', '\\.')}\\b`)), [`src/families/${name}.ts`]);
  });
}

test('a list of backends is written nowhere', () => {
  const name = `['"](?:${BACKEND_NAMES.join('|')})['"]`;
  assert.equal(filesWith(new RegExp(`${name}(?:\\s*[,|]\\s*|\\s*\\|\\|\\s*\\w+ === )${name}`)), []);
});

test("a family's name in a comment is no declaration, and a list of backends would be seen", () => {
  assert.is(withoutComments("/** 'ssd1b' */\n  // 'sd15'\nconst a = 1;").trim(), 'const a = 1;');
  assert.match(withoutComments("type A = 'native' | 'wasm'; // two"), /'native' \| 'wasm'/);
});

test.run();
