import { readFileSync } from 'node:fs';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { DeclaredParameter } from '../../src/documents/index.ts';
import { PARAMETERS } from '../../src/passes/index.ts';

const test = suite("the README's table of parameters");

/** Rows of the table: names, defaults, range, each cell split where it speaks of several. */
const TABLE = readFileSync(new URL('../../README.md', import.meta.url), 'utf8')
  .split('\n')
  .filter((line) => /^\| `[a-z_]+`/.test(line) && line.split('|').length === 6)
  .map((line) => line.split('|').map((cell) => cell.trim()))
  .map(([, names = '', defaults = '', range = '']) => ({
    names: names.replaceAll('`', '').split(', '),
    defaults,
    range,
  }));

function rangeOf(parameter: DeclaredParameter): string {
  if (parameter.type === 'boolean') return '';
  if (parameter.type === 'choice') return parameter.choices.join(' ');
  if (parameter.type === 'text') return `to ${parameter.maxLength} characters`;
  return `${parameter.min} to ${parameter.max}`;
}

test('it has every parameter once, with the default and the range that are declared', () => {
  const told = TABLE.flatMap(({ names, defaults, range }) => {
    const values = defaults.split(', ');
    return names.map((name, index) => [name, values[index] ?? values[0], range] as const);
  });
  const declared: Readonly<Record<string, DeclaredParameter>> = PARAMETERS;
  assert.equal(told.map(([name]) => name).sort(), Object.keys(declared).sort());
  for (const [name, fallback, range] of told) {
    const parameter = declared[name];
    assert.ok(parameter, name);
    assert.is(fallback, String(parameter.default), name);
    assert.is(range, rangeOf(parameter), name);
  }
});

test.run();
