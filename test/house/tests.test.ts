import { readdirSync, readFileSync } from 'node:fs';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';

const test = suite('the tests themselves');

const ROOT = new URL('../', import.meta.url);
const files = readdirSync(ROOT, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.test.ts'));

/** uvu counts nothing in a suite that is not run, and passes. */
test('every suite is run', () => {
  const wrong = files.filter((name) => {
    const text = readFileSync(new URL(name, ROOT), 'utf8');
    const suites = [...text.matchAll(/const (\w+) = suite\(/g)].map((match) => match[1]);
    const isGolden = /^goldenSuite\(/m.test(text);
    return (suites.length === 0 && !isGolden) || suites.some((suite) => !text.includes(`${suite}.run();`));
  });
  assert.equal(wrong, []);
});

test('none is skipped, and none is alone', () => {
  const wrong = files.filter((name) => /\b\w+\.(skip|only)\(/.test(readFileSync(new URL(name, ROOT), 'utf8')));
  assert.equal(wrong, []);
});

test.run();
