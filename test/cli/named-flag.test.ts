import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { messageByFlag } from '../../src/cli/flags/named-flag.ts';
import { SlothfulError } from '../../src/errors.ts';

const test = suite('an error on a flag names the flag');

const CASES: ReadonlyArray<readonly [flag: string, place: string, problem: string, message: string]> = [
  ['--guidance-scale', 'guidanceScale', 'must be finite', '--guidance-scale: must be finite'],
  ['--guidance_scale=8', 'guidance_scale', 'must be finite', '--guidance-scale: must be finite'],
  ['--steps', 'steps', 'must be an integer', '--steps: must be an integer'],
  ['--start-at-step', 'start_at_step', 'must be an integer', '--start-at-step: must be an integer'],
  ['--strength', 'denoise', 'must be from 0 to 1', '--strength: must be from 0 to 1'],
  ['--batch', 'size (batch)', 'must be from 1', '--batch: must be from 1'],
  ['--clip-skip', 'clip skip', 'leaves out 9 layers', '--clip-skip: leaves out 9 layers'],
  ['--in-strength', 'flags', 'in_strength must be a number', '--in-strength: in_strength must be a number'],
  ['--freeu-b1', 'passes "freeu"', 'b1 must be a number', '--freeu-b1: b1 must be a number'],
  // What was not given is not named.
  ['--prompt', 'steps', 'must be an integer', 'steps: must be an integer'],
  ['--params', 'flags', 'in_strength must be a number', 'flags: in_strength must be a number'],
];

for (const [flag, place, problem, message] of CASES) {
  test(`${place} with ${flag}`, () => {
    assert.is(messageByFlag(new SlothfulError('bad-parameter', place, problem), ['run', flag, '1']), message);
  });
}

test.run();
