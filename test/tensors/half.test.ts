import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import {
  bfloatOf,
  bitsView,
  floatOf,
  halfOf,
  halfToFloat,
  OVERFLOW,
  toFloat32Array,
  toFloatBytes,
  toFloats,
  toHalves,
} from '../../src/tensors/index.ts';
import { thrown } from '../converters/support.ts';

const test = suite('weights: half floats');

/** The value of a half by the definition of the format, in doubles. */
function halfValue(half: number): number {
  const sign = half & 0x8000 ? -1 : 1;
  const exponent = (half >> 10) & 31;
  const mantissa = half & 1023;
  if (exponent === 31) return mantissa ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return exponent ? sign * 2 ** (exponent - 15) * (1 + mantissa / 1024) : sign * 2 ** -24 * mantissa;
}

function bitsOf(value: number): number {
  return new Uint32Array(Float32Array.of(value).buffer)[0] ?? 0;
}

function floatFrom(bits: number): number {
  return new Float32Array(Int32Array.of(bits).buffer)[0] ?? 0;
}

/** The half nearest to a positive value by search, ties to the even one; 0x7c00 stands for 2^16 here. */
function nearest(value: number): number {
  let low = 0;
  let high = 0x7c00;
  const at = (half: number) => (half === 0x7c00 ? 65536 : halfValue(half));
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (at(middle) <= value) low = middle;
    else high = middle;
  }
  const below = value - at(low);
  const above = at(high) - value;
  return below < above || (below === above && low % 2 === 0) ? low : high;
}

test('all 65,536 halves become their value, and come back', () => {
  for (let half = 0; half < 65536; half++) {
    const value = floatFrom(floatOf(half));
    if (!Object.is(halfToFloat(half), halfValue(half))) assert.unreachable(`half ${half}: ${halfToFloat(half)}`);
    if (!Object.is(value, halfValue(half))) assert.unreachable(`half ${half} became ${value}`);
    const back = halfOf(floatOf(half));
    const nan = (half & 0x7c00) === 0x7c00 && (half & 1023) !== 0;
    if (back !== (nan ? half | 0x200 : half)) assert.unreachable(`half ${half} came back as ${back}`);
  }
});

test('rounds to nearest even everywhere: every half, its neighbours and the ties between', () => {
  for (let half = 0; half < 0x7c00; half++) {
    const next = half === 0x7bff ? 65536 : halfValue(half + 1);
    const tie = (halfValue(half) + next) / 2;
    for (const value of [halfValue(half), tie]) {
      for (const step of [-1, 0, 1]) {
        const float = floatFrom(Math.max(0, bitsOf(value) + step));
        const expected = nearest(float);
        const rounded = expected === 0x7c00 ? OVERFLOW : expected;
        if (halfOf(bitsOf(float)) !== rounded) assert.unreachable(`${float} became ${halfOf(bitsOf(float))}`);
        if (rounded !== OVERFLOW && halfOf(bitsOf(-float)) !== (rounded | 0x8000)) assert.unreachable(`${-float}`);
      }
    }
  }
});

const ROUNDING: ReadonlyArray<readonly [value: number, half: number]> = [
  [0, 0],
  [-0, 0x8000],
  [1, 0x3c00],
  [-2, 0xc000],
  [65504, 0x7bff],
  [65519.996, 0x7bff],
  [65520, OVERFLOW],
  [-65520, OVERFLOW],
  [3.4e38, OVERFLOW],
  [Number.POSITIVE_INFINITY, 0x7c00],
  [Number.NEGATIVE_INFINITY, 0xfc00],
  [2 ** -14, 0x0400],
  [2 ** -24, 0x0001],
  [2 ** -25, 0x0000],
  [1.0001 * 2 ** -25, 0x0001],
  [1.5 * 2 ** -24, 0x0002],
  [1e-45, 0],
  [1 + 2 ** -11, 0x3c00],
  [1 + 3 * 2 ** -11, 0x3c02],
];

for (const [value, half] of ROUNDING) {
  test(`${value} -> ${half}`, () => assert.is(halfOf(bitsOf(value)), half));
}

test('a NaN stays one, whatever its payload', () => {
  for (const bits of [0x7f800001, 0x7fc00000, 0x7fffffff, 0xff800001, 0xffc12345]) {
    const half = halfOf(bits | 0);
    assert.ok((half & 0x7c00) === 0x7c00 && (half & 1023) !== 0, bits.toString(16));
    assert.is(half >> 15, bits >>> 31);
  }
});

test('all 65,536 bfloat16 values: exact to float32, rounded to float16', () => {
  const values = Uint16Array.from({ length: 65536 }, (_, bits) => bits);
  const floats = toFloats(values, 'BF16', new Uint32Array(65536));
  for (let bits = 0; bits < 65536; bits++) {
    if (floats[bits] !== bits * 65536) assert.unreachable(`bfloat ${bits} became ${floats[bits]}`);
    const half = halfOf(bits << 16);
    if (half === OVERFLOW) continue;
    const one = toHalves(values.slice(bits, bits + 1), new Uint16Array(1), '');
    if (one[0] !== half) assert.unreachable(`bfloat ${bits} became ${one[0]}`);
  }
});

test('float32 to bfloat16: nearest, ties to even; infinities and NaN stay', () => {
  for (const [bits, wanted] of [
    [0x3f800000, 0x3f80],
    [0x3f808000, 0x3f80],
    [0x3f808001, 0x3f81],
    [0x3f818000, 0x3f82],
    [0xbf818000, 0xbf82],
    [0x7f7fffff, 0x7f80],
    [0x7f800000, 0x7f80],
    [0xff800000, 0xff80],
    [0x7f800001, 0x7fc0],
    [0xff800001, 0xffc0],
    [0x00000001, 0x0000],
  ] as const) {
    assert.is(bfloatOf(bits | 0), wanted, bits.toString(16));
    assert.is(bfloatOf(bits), wanted, 'signed or not');
  }
});

test('float32 to bytes of every dtype and back', () => {
  const all = Float32Array.of(9, 1, -0.5, 3, 65504, Number.NEGATIVE_INFINITY);
  const values = all.subarray(1);
  for (const dtype of ['F32', 'F16'] as const) {
    assert.equal(toFloat32Array(toFloatBytes(values, dtype), dtype), Float32Array.from(values), dtype);
  }
  const rounded = Float32Array.of(1, -0.5, 3, 65536, Number.NEGATIVE_INFINITY);
  assert.equal(toFloat32Array(toFloatBytes(values, 'BF16'), 'BF16'), rounded);
  assert.is(toFloatBytes(values, 'F32').buffer, all.buffer);
  assert.match(thrown(() => toFloatBytes(Float32Array.of(7e4), 'F16', 'w')).message, /^w: holds 70000, above/);
});

test('halves widen in the memory whose end they are, aligned to pairs or not, odd or even in number', () => {
  const halves = Uint16Array.from({ length: 9 }, (_, index) => 0x3c00 + 7 * index);
  for (let count = 0; count <= 9; count++) {
    for (const before of [0, 1]) {
      const memory = new ArrayBuffer(4 * count + 4);
      const stored = new Uint16Array(memory, 2 * (count + before), count);
      stored.set(halves.subarray(0, count));
      const floats = new Float32Array(toFloats(stored, 'F16', new Uint32Array(memory, 0, count)).buffer, 0, count);
      assert.equal(Array.from(floats), Array.from(halves.subarray(0, count), halfValue), `${count}, ${before}`);
    }
  }
});

test('an overflow names tensor, value and cure', () => {
  const place = 'model.safetensors tensor "a.weight"';
  const floats = new Uint32Array(Float32Array.of(1, -70000).buffer);
  const fromFloat = thrown(() => toHalves(floats, new Uint16Array(2), place));
  assert.is(fromFloat.message, `${place}: holds -70000, above float16's 65504; use --dtype float32`);
  const fromBfloat = thrown(() => toHalves(Uint16Array.of(0x4780), new Uint16Array(1), place));
  assert.match(fromBfloat.message, /holds 65536, above/);
});

test('narrows in place', () => {
  const floats = Float32Array.from({ length: 1000 }, (_, i) => i - 500);
  const bits = new Uint32Array(floats.buffer.slice(0));
  toHalves(bits, new Uint16Array(bits.buffer, 0, 1000), '');
  const halves = new Uint16Array(bits.buffer, 0, 1000);
  assert.equal(Array.from(halves, halfValue), Array.from(floats));
});

test('reads bytes of every dtype, aligned or not', () => {
  const wanted = Float32Array.of(1, -0.5, 3);
  const stored = {
    F32: wanted,
    F16: Uint16Array.of(0x3c00, 0xb800, 0x4200),
    BF16: Uint16Array.of(0x3f80, 0xbf00, 0x4040),
  };
  for (const dtype of ['F32', 'F16', 'BF16'] as const) {
    const bytes = new Uint8Array(stored[dtype].buffer.slice(0));
    const shifted = new Uint8Array(bytes.length + 1);
    shifted.set(bytes, 1);
    assert.equal(toFloat32Array(bytes, dtype), wanted);
    assert.equal(toFloat32Array(shifted.subarray(1), dtype), wanted);
    assert.is(bitsView(bytes, dtype).buffer, bytes.buffer);
  }
});

test.run();
