import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { refuseNoNumbers } from '../../src/cli/flags/number-flags.ts';
import { slothfulHere } from '../support/cli.ts';
import { failsWith } from '../support/errors.ts';

const test = suite('flags that take a number');

const NUMBERS = ['timestep', 'inStrength', 'control-scale', 'batch'];

const TAKEN: readonly (readonly string[])[] = [
  ['run', 'm', '--timestep', '601', '--batch=2', '--in-strength', '-0.5', '--control-scale', '1e-3'],
  ['--in_strength', '3', '--inStrength', '0x10', '--timestep', ' 7 '],
  ['--prompt', '', '--out', 'x', '--', '--timestep', 'words'],
];
for (const args of TAKEN) {
  test(`takes ${args.join(' ')}`, () => refuseNoNumbers(args, NUMBERS));
}

const REFUSED: readonly (readonly [args: readonly string[], message: RegExp])[] = [
  [['--timestep', ''], /^--timestep: needs a number, got ""; give one, or leave the flag out$/],
  [['--timestep', '  '], /^--timestep: needs a number, got " {2}"/],
  [['--timestep='], /^--timestep: needs a number, got ""/],
  [['--timestep'], /^--timestep: needs a number; give one/],
  [['--timestep', '--batch', '1'], /^--timestep: needs a number; give one/],
  [['--timestep', 'soon'], /needs a number, got "soon"/],
  [['--in-strength', '1e400'], /^--in-strength: needs a number, got "1e400"/],
  [['--in_strength', 'NaN'], /^--in_strength: needs a number, got "NaN"/],
  [['--control-scale', '1', '--control-scale', 'x'], /^--control-scale: needs a number, got "x"/],
];
for (const [args, message] of REFUSED) {
  test(`refuses ${JSON.stringify(args)}`, () => failsWith('usage', message, () => refuseNoNumbers(args, NUMBERS)));
}

/** Whole command lines; the model is never looked for. */
const LINES: readonly (readonly [line: readonly string[], message: RegExp])[] = [
  [['predict', 'm', '--inputs', 'i', '--out', 'o', '--timestep', ''], /^slothful: --timestep: needs a number, got ""/],
  [['plan', 'm', '--in-strength', ''], /^slothful: --in-strength: needs a number, got ""/],
  [['run', 'm', '--batch', 'two'], /^slothful: --batch: needs a number, got "two"/],
  [['plan', 'm', '--steps', '3', '--steps', '4'], /^slothful: --steps: is given 2 times; give it once/],
  [['plan', 'm', '--cond', 'a', '--cond', 'b'], /^slothful: --cond: is given 2 times/],
  [['run', 'm', '--size', '512x512', '--size', '64x64'], /^slothful: --size: is given 2 times/],
  [['plan', 'm', '--size', '0x512'], /^slothful: --size: "0x512" has no pixels; write WxH/],
];
for (const [line, message] of LINES) {
  test(line.join(' '), async () => {
    const { code, stderr } = await slothfulHere(line);
    assert.is(code, 1);
    assert.match(stderr, message);
    assert.is(stderr.trim().split('\n').length, 1, stderr);
  });
}

test.run();
