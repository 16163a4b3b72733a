import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { SLOTHFUL_COLUMNS } from '../../../src/passes/slothful/control.ts';
import {
  CONTROL_COLUMNS,
  type ControlRow,
  controlRow,
  DEFAULT_PARAMETERS,
  decodeControl,
  encodeControl,
  isUntouched,
  kvTokens,
  sigmaOfTimestep,
  siteStride,
  timeFactor,
  UNTOUCHED,
} from '../../../src/passes/slothful/index.ts';

const test = suite('strides, windows, control');
const SD15 = { top: 1, deep: 8 };
const MAX_SIGMA = sigmaOfTimestep(999);

test('time factor: 1 at the start, 0 below sigma 0.11 and at 0', () => {
  assert.is(timeFactor(MAX_SIGMA), (Math.log(MAX_SIGMA) + 2.2) / 5);
  assert.is(timeFactor(1e6), 1);
  assert.is(timeFactor(0.11), 0);
  assert.ok(timeFactor(0.112) > 0);
  assert.is(timeFactor(0), 0);
  for (const sigma of [-1, Number.NaN]) assert.throws(() => timeFactor(sigma), /sigma: must be 0 or more/);
});

test('sigma of fractional and outlying timesteps', () => {
  const between = (sigmaOfTimestep(500) + sigmaOfTimestep(501)) / 2;
  assert.ok(Math.abs(sigmaOfTimestep(500.5) - between) < 1e-12);
  assert.is(sigmaOfTimestep(1000), sigmaOfTimestep(999));
  assert.is(sigmaOfTimestep(-1), sigmaOfTimestep(0));
  assert.throws(() => sigmaOfTimestep(Number.NaN), /timestep: must be a finite number/);
});

const realised: [asked: number, rows: number, columns: number][] = [
  [1.01, 1, 2],
  [2.5, 2, 2],
  [2.93, 2, 2],
  [4.5, 2, 3],
  [5.86, 2, 3],
  [6, 2, 3],
  [7, 3, 3],
  [10, 3, 4],
];

test('2D: asked strides and the rows x columns that realise them', () => {
  for (const [asked, rows, columns] of realised) {
    const row = controlRow(DEFAULT_PARAMETERS, 'input', asked);
    assert.equal([row.strideRows, row.strideColumns], [rows, columns], `${asked}`);
    assert.equal([row.windowRows, row.windowColumns], [rows, columns], `${asked}`);
  }
});

test('1D: whole strides over one column; up to 1 untouched', () => {
  const row = controlRow({ ...DEFAULT_PARAMETERS, in_mode: '1D_MAX', in_k_blend: 0.5 }, 'input', 2.01);
  const expected: ControlRow = {
    strideRows: 3,
    strideColumns: 1,
    windowRows: 3,
    windowColumns: 1,
    mode: '1D_MAX',
    kBlend: 0.5,
    vBlend: 0,
  };
  assert.equal(row, expected);
  for (const stride of [1, 0.5, 0]) assert.is(controlRow(DEFAULT_PARAMETERS, 'output', stride), UNTOUCHED);
});

test('blocks: out_* for output, in_* for input and middle', () => {
  const parameters = { ...DEFAULT_PARAMETERS, keep_middle: false };
  const strideOf = (block: 'input' | 'middle' | 'output') =>
    siteStride(parameters, { block, downscale: 1 }, SD15, 1e6).stride;
  assert.equal([strideOf('input'), strideOf('middle'), strideOf('output')], [6, 6, 4]);
});

const reasons: [string, object, 'input' | 'middle' | 'output', number, number][] = [
  ['keep_middle', {}, 'middle', 8, MAX_SIGMA],
  ['strength', { in_strength: 1 }, 'input', 1, MAX_SIGMA],
  ['depth', {}, 'input', 8, MAX_SIGMA],
  ['late step', {}, 'input', 1, 0.2],
  ['depth', { in_depth_decay: 3, in_strength: 1.5 }, 'input', 2, MAX_SIGMA],
  ['depth', { in_strength: 8, in_depth_decay: 1 }, 'input', 8, MAX_SIGMA],
  ['late step', {}, 'input', 4, 0.2],
];

for (const [reason, given, block, downscale, sigma] of reasons) {
  test(`untouched for the reason "${reason}"`, () => {
    const stride = siteStride({ ...DEFAULT_PARAMETERS, ...given }, { block, downscale }, SD15, sigma);
    assert.ok(!stride.pooled && stride.reason === reason && stride.stride <= 1, JSON.stringify(stride));
  });
}

test('negative depth decay: strongest at the deepest level; time decay 0: no end', () => {
  const parameters = { ...DEFAULT_PARAMETERS, in_depth_decay: -1, time_decay: 0 };
  const strideAt = (downscale: number) => siteStride(parameters, { block: 'input', downscale }, SD15, 0).stride;
  assert.equal([strideAt(8), strideAt(4), strideAt(1)], [6, 3, 0.75]);
});

test('tokens: windows beyond the grid are clipped, a window of 1 is not cropped', () => {
  const row: ControlRow = { ...UNTOUCHED, strideRows: 8, strideColumns: 2, windowRows: 8, windowColumns: 2 };
  assert.is(kvTokens(row, [4, 5]), 2);
  assert.is(kvTokens({ ...row, windowRows: 1, windowColumns: 1 }, [9, 5]), 6);
  assert.is(kvTokens({ ...row, mode: '1D_AVG', strideColumns: 1, windowColumns: 1 }, [4, 5]), 2);
  assert.is(kvTokens({ ...row, strideRows: 2, windowRows: 3 }, [8, 4]), 6);
  assert.is(kvTokens(UNTOUCHED, [33, 47]), 33 * 47);
});

test('compat: the original samples and does not crop where both blends are 1', () => {
  const parameters = { ...DEFAULT_PARAMETERS, in_k_blend: 1, in_v_blend: 1 };
  const row: ControlRow = {
    strideRows: 2,
    strideColumns: 3,
    windowRows: 1,
    windowColumns: 1,
    mode: '2D_AVG',
    kBlend: 0,
    vBlend: 0,
  };
  assert.equal(controlRow({ ...parameters, compat: 'comfyui' }, 'input', 6), row);
  const own = { ...row, windowRows: 2, windowColumns: 3, kBlend: 1, vBlend: 1 };
  assert.equal(controlRow(parameters, 'input', 6), own);
  for (const side of ['in_k_blend', 'in_v_blend'] as const) {
    const half: ControlRow = { ...own, [side === 'in_k_blend' ? 'kBlend' : 'vBlend']: 0.5 };
    assert.equal(controlRow({ ...parameters, compat: 'comfyui', [side]: 0.5 }, 'input', 6), half);
  }
});

test('what a model does where nothing is fed is the row that changes nothing', () => {
  const defaults = SLOTHFUL_COLUMNS.map((column) => column.default);
  assert.equal(defaults, [1, 1, 1, 1, 2, 0, 0]);
  assert.equal(decodeControl(defaults, 0), UNTOUCHED);
});

const CHANGED: readonly (keyof ControlRow)[] = ['strideRows', 'strideColumns', 'windowRows', 'windowColumns'];

test('untouched is what has no stride and no window at all', () => {
  assert.ok(isUntouched({ ...UNTOUCHED, mode: '1D_MAX', kBlend: 1, vBlend: 1 }));
  for (const name of CHANGED) assert.not.ok(isUntouched({ ...UNTOUCHED, [name]: 2 }), name);
});

test('control tables come back as they went in', () => {
  const rows = [UNTOUCHED, controlRow({ ...DEFAULT_PARAMETERS, in_k_blend: 0.25, in_v_blend: 0.5 }, 'input', 6)];
  const table = encodeControl(rows);
  assert.is(table.length, 2 * CONTROL_COLUMNS);
  assert.equal([...table.slice(7)], [2, 3, 2, 3, 2, 0.25, 0.5]);
  assert.equal(
    [0, 1].map((site) => decodeControl(table, site)),
    rows,
  );
  assert.ok(isUntouched(decodeControl(table, 0)) && !isUntouched(decodeControl(table, 1)));
});

const badTables: [string, number[], number, RegExp][] = [
  ['too few rows', [1, 1, 1, 1, 2, 0, 0], 1, /control row 1: the table has 7 values/],
  ['a ragged table', [1, 1, 1, 1, 2, 0], 0, /control row 0: the table has 6 values/],
  ['a stride of 0', [0, 1, 1, 1, 2, 0, 0], 0, /stride rows must be an integer from 1, got 0/],
  ['half a window', [1, 1, 1, 1.5, 2, 0, 0], 0, /window columns must be an integer from 1, got 1.5/],
  ['an unknown mode', [1, 1, 1, 1, 4, 0, 0], 0, /mode must be 0, 1, 2 or 3, got 4/],
  ['a blend that is not a number', [1, 1, 1, 1, 2, 0, Number.NaN], 0, /v blend must be a finite number, got NaN/],
];

for (const [what, values, site, message] of badTables) {
  test(`refuses ${what}`, () => {
    assert.throws(() => decodeControl(values, site), message);
  });
}

test('encoding refuses what decoding would', () => {
  assert.throws(() => encodeControl([{ ...UNTOUCHED, strideRows: 0 }]), /control row 0: stride rows/);
});

test.run();
