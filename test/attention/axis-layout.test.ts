import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import {
  type AxisLayout,
  digitsOf,
  joinDigits,
  reshapeLayout,
  sameDigits,
  transposeLayout,
  wholeAxis,
} from '../../src/attention/matching/axis-layout.ts';

const test = suite('axis layouts');

/** [B * N, C] as a projection leaves it, B = 2, N = 15, C = 8. */
const FLAT: AxisLayout = [wholeAxis('left.token', 30), wholeAxis('left.channel', 8)];

test('splitting and merging heads are inverse', () => {
  const split = reshapeLayout(FLAT, [2, 15, 2, 4]);
  assert.equal(split, [
    [{ axis: 'left.token', stride: 15, size: 2 }],
    [{ axis: 'left.token', stride: 1, size: 15 }],
    [{ axis: 'left.channel', stride: 4, size: 2 }],
    [{ axis: 'left.channel', stride: 1, size: 4 }],
  ]);
  const merged = split && reshapeLayout(split, [30, 8]);
  assert.ok(merged && sameDigits(merged[0] ?? [], FLAT[0] ?? []) && sameDigits(merged[1] ?? [], FLAT[1] ?? []));
});

test('folding heads into the batch and out again comes back to the same place', () => {
  const split = reshapeLayout(FLAT, [2, 15, 2, 4]) ?? [];
  const folded = reshapeLayout(transposeLayout(split, [0, 2, 1, 3]), [4, 15, 4]) ?? [];
  assert.equal(folded[0], [
    { axis: 'left.token', stride: 15, size: 2 },
    { axis: 'left.channel', stride: 4, size: 2 },
  ]);
  const apart = transposeLayout(reshapeLayout(folded, [2, 2, 15, 4]) ?? [], [0, 2, 1, 3]);
  assert.ok(sameDigits(apart.flat(), FLAT.flat()));
});

test('a reshape of transposed heads that does not undo the transpose is told apart', () => {
  const turned = transposeLayout(reshapeLayout(FLAT, [2, 15, 2, 4]) ?? [], [0, 2, 1, 3]);
  const merged = reshapeLayout(turned, [30, 8]);
  assert.ok(merged === undefined || !sameDigits(merged.flat(), FLAT.flat()));
});

test('dimensions of size 1 come and go', () => {
  const spread = reshapeLayout(FLAT, [1, 30, 1, 8]);
  assert.equal(
    spread?.map((dim) => dim.length),
    [0, 1, 0, 1],
  );
  assert.ok(spread && sameDigits(reshapeLayout(spread, [30, 8])?.flat() ?? [], FLAT.flat()));
});

test('a reshape that cuts a digit where it has no boundary has no layout', () => {
  assert.is(reshapeLayout(FLAT, [4, 60]), undefined);
  assert.is(reshapeLayout(FLAT, [30]), undefined);
  assert.is(reshapeLayout(FLAT, [30, 8, 2]), undefined);
});

test('digits join where they continue each other, and only there', () => {
  const parts = digitsOf('key.token', [2, 3, 5]);
  assert.equal(joinDigits(parts), wholeAxis('key.token', 30));
  assert.is(joinDigits(parts.toReversed()).length, 3);
  assert.equal(wholeAxis('key.token', 1), []);
});

test.run();
