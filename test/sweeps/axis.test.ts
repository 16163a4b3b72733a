import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { DEFAULT_PARAMETERS } from '../../src/passes/slothful/index.ts';
import { type CellChange, parseAxis, sweepCells } from '../../src/sweeps/index.ts';
import { failsWith } from '../support/errors.ts';

const test = suite('axes of a sweep');

const READ: readonly (readonly [text: string, name: string, changes: readonly CellChange[]])[] = [
  ['in_strength=0,3.5', 'in_strength', [{ parameters: { in_strength: 0 } }, { parameters: { in_strength: 3.5 } }]],
  ['in-strength = 6 ', 'in_strength', [{ parameters: { in_strength: 6 } }]],
  [
    'keep_middle=true,false',
    'keep_middle',
    [{ parameters: { keep_middle: true } }, { parameters: { keep_middle: false } }],
  ],
  ['mode=2d_max', 'mode', [{ parameters: { in_mode: '2D_MAX', out_mode: '2D_MAX' } }]],
  ['in_blend=0.5', 'in_blend', [{ parameters: { in_k_blend: 0.5, in_v_blend: 0.5 } }]],
  ['sampler=ddim,lcm', 'sampler', [{ request: { sampler: 'ddim' } }, { request: { sampler: 'lcm' } }]],
  ['seed=1,2', 'seed', [{ request: { seed: 1 } }, { request: { seed: 2 } }]],
  ['steps=4', 'steps', [{ request: { steps: 4 } }]],
  ['guidance_scale=1.5', 'guidance_scale', [{ request: { guidance_scale: 1.5 } }]],
  ['sigmas=karras', 'sigmas', [{ request: { sigmas: 'karras' } }]],
  ['prompt=red apple, sloth', 'prompt', [{ prompt: 'red apple' }, { prompt: 'sloth' }]],
  ['preset=off,a=b.json', 'preset', [{ preset: 'off' }, { preset: 'a=b.json' }]],
];
for (const [text, name, changes] of READ) {
  test(`reads ${text}`, () => {
    const axis = parseAxis(text, '--x');
    assert.is(axis.name, name);
    assert.equal(
      axis.values.map(({ change }) => change),
      changes,
    );
  });
}

const REFUSED: readonly (readonly [text: string, code: 'usage' | 'bad-parameter', message: RegExp])[] = [
  ['in_strength', 'usage', /^--x: cannot read "in_strength"; write a name and values/],
  ['=1', 'usage', /cannot read "=1"/],
  ['in_strength=1,,2', 'usage', /cannot read/],
  [
    'in_strenght=1',
    'usage',
    /"in_strenght" is not something that a sweep can go through; did you mean "in_strength"\?/,
  ],
  ['zzzzzzzzzz=1', 'usage', /there are time_decay, keep_middle/],
  ['in_strength=51', 'bad-parameter', /^--x in_strength: in_strength must be a number from 0 to 50, got 51$/],
  ['in_strength=much', 'bad-parameter', /got "much"/],
  ['keep_middle=1', 'bad-parameter', /keep_middle must be true or false, got "1"/],
  ['mode=3D', 'bad-parameter', /one of 1D_AVG, 1D_MAX, 2D_AVG, 2D_MAX, got "3D"/],
  ['sampler=eulre', 'bad-parameter', /--x sampler: "eulre" is not a sampler; did you mean "euler"\?/],
  ['seed=one', 'bad-parameter', /--x seed: must be a whole number from 0 to 18446744073709551615, got "one"/],
];
for (const [text, code, message] of REFUSED) {
  test(`refuses ${text}`, () => failsWith(code, message, () => parseAxis(text, '--x')));
}

const BASE = {
  request: { steps: 5 },
  prompt: 'sloth',
  own: DEFAULT_PARAMETERS,
  changes: { out_strength: 9 },
  presets: new Map([
    ['off', undefined],
    ['mine', { ...DEFAULT_PARAMETERS, time_decay: 3, out_strength: 1 }],
  ]),
};

test('two axes make every combination, row by row', () => {
  const cells = sweepCells(parseAxis('seed=1,2', '--x'), parseAxis('in_strength=0,3,6', '--y'), BASE);
  assert.equal(
    cells.map(({ column, row, values }) => [column, row, values.seed, values.in_strength]),
    [
      [0, 0, '1', '0'],
      [1, 0, '2', '0'],
      [0, 1, '1', '3'],
      [1, 1, '2', '3'],
      [0, 2, '1', '6'],
      [1, 2, '2', '6'],
    ],
  );
  const last = cells.at(-1);
  assert.equal(last?.request, { steps: 5, seed: 2 });
  assert.is(last?.prompt, 'sloth');
  assert.equal(last?.parameters, { ...DEFAULT_PARAMETERS, out_strength: 9, in_strength: 6 });
});

test('presets go under the flags, and the other axis over both', () => {
  const cells = sweepCells(parseAxis('preset=off,mine', '--x'), parseAxis('in_strength=2', '--y'), BASE);
  assert.is(cells[0]?.parameters, undefined);
  assert.equal(cells[1]?.parameters, { ...DEFAULT_PARAMETERS, time_decay: 3, out_strength: 9, in_strength: 2 });
});

test('one axis, downwards, and none', async () => {
  const cells = sweepCells(undefined, parseAxis('prompt=cat,owl', '--y'), BASE);
  assert.equal(
    cells.map(({ row, column, prompt }) => [row, column, prompt]),
    [
      [0, 0, 'cat'],
      [1, 0, 'owl'],
    ],
  );
  await failsWith('usage', /^--x: is missing; say what to go through/, () => sweepCells(undefined, undefined, BASE));
  const seeds = parseAxis('seed=1', '--x');
  await failsWith('usage', /^--y: goes through seed as --x does$/, () => sweepCells(seeds, seeds, BASE));
});

test.run();
