import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { houseFiles } from '../../scripts/architecture/imports.ts';
import { harmless, SlothfulError, visible } from '../../src/errors.ts';
import { slothfulHere } from '../support/cli.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { tinyGraph, writeTiny } from '../support/tiny-model.ts';

const test = suite("other people's text on the terminal");

/** What a terminal acts upon, but for the ends of our own lines. */
const ACTED_UPON = /(?![\n\u200c\u200d])[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u;

const HOSTILE = 'x\u001b]0;owned\u0007\u009b2J\u202etxt\u2066\r\n> rm\u{e0041}\ud800';
const SEEN = 'x\\u{1b}]0;owned\\u{7}\\u{9b}2J\\u{202e}txt\\u{2066}\\r\\n> rm\\u{e0041}\\u{d800}';

test('what cannot be seen is written as JavaScript writes it, and all else stays', () => {
  assert.is(visible(HOSTILE), SEEN);
  for (const text of ['C:\\new\\table "é" 猫 👩‍🎨', 'نمی‌خواهم']) assert.is(visible(text), text);
});

test('long values are cut in the middle, words later, and a second time changes nothing', () => {
  const cut = harmless(`--size: got "${'9 '.repeat(2500)}" and ${'w'.repeat(5000)}`);
  const [, value = '', word = ''] = /^--size: got "(.*)" and (.*)$/.exec(cut) ?? [];
  assert.ok(value.length < 120 && word.length <= 240);
  assert.match(value, /^9 9 .* \.\.\. \(5002 characters\) \.\.\. .*9 $/);
  assert.is(harmless(cut), cut);
  assert.ok(harmless('a b '.repeat(1e6)).length <= 1000);
  const path = `/home/someone/${'models/'.repeat(20)}model.json`;
  assert.is(harmless(path), path);
});

test('an error is one harmless line, and its fields are exact', () => {
  const error = new SlothfulError('bad-input', HOSTILE, `got "${'a'.repeat(5000)}"`, HOSTILE);
  assert.not.match(error.message, ACTED_UPON);
  assert.not.match(error.message, /\n/);
  assert.ok(error.message.length < 400);
  assert.is(error.place, HOSTILE);
  assert.is(error.problem.length, 5006);
});

const folder = join(temporaryFolder(), 'hostile');
const { graph, weights } = tinyGraph(
  { sample: 'sample', context: 'encoder_hidden_states', output: HOSTILE.replaceAll(':', '') },
  { family: HOSTILE },
);
writeTiny(folder, graph, weights);

for (const form of ['', '--csv', '--md', '--json']) {
  test(`inspect ${form} of a model with hostile names prints nothing that a terminal acts upon`, async () => {
    const { code, stdout, stderr } = await slothfulHere(['inspect', folder, ...(form ? [form] : [])]);
    assert.is(code, 0, stderr);
    assert.not.match(form === '--csv' ? stdout.replaceAll('\r\n', '\n') : stdout, ACTED_UPON);
    assert.not.match(stderr, ACTED_UPON);
    assert.ok(form === '--csv' || stdout.includes('owned'));
    if (form !== '--json') return;
    const { outputs } = JSON.parse(stdout);
    assert.ok(JSON.stringify(outputs).includes(JSON.stringify(HOSTILE).slice(1, -1)), 'JSON means what the model says');
  });
}

for (const [title, args] of [
  ['a path', ['inspect', `/${HOSTILE}`]],
  ['a flag', [`--${HOSTILE}`, 'inspect', folder]],
  ['a flag that is very long', ['inspect', folder, `--${'flag'.repeat(20_000)}`]],
  ['a command', [HOSTILE.repeat(500)]],
  ['a value', ['inspect', folder, '--size', HOSTILE.repeat(500)]],
  ['a value of a choice', ['predict', folder, '--inputs', 'a', '--out', 'b', '--layout', HOSTILE.repeat(500)]],
] as const) {
  test(`${title} that is hostile and wrong is told in one short line`, async () => {
    const { code, stdout, stderr } = await slothfulHere(args);
    assert.equal([code, stdout], [1, '']);
    assert.not.match(stderr, ACTED_UPON);
    assert.match(stderr, /^slothful: .{1,1010}\n$/);
  });
}

test('commands print by the printer alone', () => {
  const sources = houseFiles().filter((file) => file.startsWith('src/cli/'));
  const others = sources.filter((file) => {
    const code = readFileSync(new URL(`../../${file}`, import.meta.url), 'utf8');
    return /\bconsole\.|std(out|err)\.write\(/.test(code);
  });
  assert.equal(others, ['src/cli/printer.ts']);
});

test.run();
