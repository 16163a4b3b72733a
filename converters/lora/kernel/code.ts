import { assemble, type Code, doWhile, f32x4, i32, i32x4, local, v128, type WasmFunction } from './assembler.ts';

/** Rows and columns of what `addProduct` keeps in registers: 8 accumulators of 16, which leaves room for operands. */
export const TILE_ROWS = 4;
export const TILE_COLUMNS = 8;

/** Most pages of 64 KiB that the kernel's memory may have: 2 GiB. */
export const MOST_PAGES = 32768;

const VECTOR_BYTES = 16;
const SIGN = 0x80000000;
/** Bits of the float32s 2^112, 2^-112, 2^-110 and 1/2. */
const [TWO_TO_112, TWO_TO_MINUS_112, TWO_TO_MINUS_110, ONE_HALF] = [0x77800000, 0x07800000, 0x08800000, 0x3f000000];
/** Bits of 65,520, the smallest float32 that rounds to infinity in float16. */
const FIRST_TOO_LARGE = 0x477ff000;

function advance(pointer: number, bytes: number): Code {
  return local.set(pointer, i32.add(local.get(pointer), i32.const(bytes)));
}

/** Halves, one in each 32-bit lane of a local, as floats. Source: the FP16 library, `fp16_ieee_to_fp32_value`. */
function floatsOfHalves(halves: number): Code {
  const doubled = i32x4.shl(local.get(halves), 17);
  const exponent = i32x4.add(i32x4.shrU(doubled, 4), v128.splat(0xe0 << 23));
  const normal = f32x4.mul(exponent, v128.splat(TWO_TO_MINUS_112));
  const subnormal = f32x4.sub(v128.or(i32x4.shrU(doubled, 17), v128.splat(ONE_HALF)), v128.splat(ONE_HALF));
  const magnitude = v128.select(subnormal, normal, i32x4.ltU(doubled, v128.splat(1 << 27)));
  return v128.or(magnitude, v128.and(i32x4.shl(local.get(halves), 16), v128.splat(SIGN)));
}

/** The upper 16 bits of floats, one in each 32-bit lane of a local, as floats. */
function floatsOfBfloats(bfloats: number): Code {
  return i32x4.shl(local.get(bfloats), 16);
}

/** Parameters: address of 16-bit values, address of the floats to be, its end; a multiple of 8 values. */
function widen(name: string, convert: (lanes: number) => Code): WasmFunction {
  const [from, to, end, packed, lanes] = [0, 1, 2, 3, 4];
  const code = doWhile(
    i32.ltU(local.get(to), local.get(end)),
    local.set(packed, v128.load(0, local.get(from))),
    local.set(lanes, i32x4.extendLow(local.get(packed))),
    v128.store(0, local.get(to), convert(lanes)),
    local.set(lanes, i32x4.extendHigh(local.get(packed))),
    v128.store(VECTOR_BYTES, local.get(to), convert(lanes)),
    advance(from, VECTOR_BYTES),
    advance(to, 2 * VECTOR_BYTES),
  );
  return { name, parameters: 3, integers: 0, vectors: 2, code: [code] };
}

function magnitudeOf(floats: number): Code {
  return v128.and(local.get(floats), v128.splat(~SIGN));
}

/** Floats of a local plus a power of two that rounds their mantissas to those of halves, to nearest even. */
function roundedToHalves(floats: number): Code {
  const scaled = f32x4.mul(f32x4.mul(magnitudeOf(floats), v128.splat(TWO_TO_112)), v128.splat(TWO_TO_MINUS_110));
  const exponent = v128.and(i32x4.add(magnitudeOf(floats), v128.splat(0x07800000)), v128.splat(0x7f800000));
  return f32x4.add(scaled, i32x4.maxU(exponent, v128.splat(0x40000000)));
}

/** Halves in 32-bit lanes. Source: the FP16 library, `fp16_ieee_from_fp32_value`. */
function halvesOfFloats(floats: number, rounded: number): Code {
  const exponent = v128.and(i32x4.shrU(local.get(rounded), 13), v128.splat(0x7c00));
  const mantissa = v128.and(local.get(rounded), v128.splat(0x0fff));
  const sign = i32x4.shrU(v128.and(local.get(floats), v128.splat(SIGN)), 16);
  return v128.or(sign, i32x4.add(exponent, mantissa));
}

/**
 * Parameters: address of floats, address of the halves to be, end of the floats; a multiple of 8 values. The result is
 * not 0 where a value is no half (too large, infinite, NaN); the halves are then of no use.
 */
function narrow(): WasmFunction {
  const [from, to, end, flag, floats, rounded, lower, large] = [0, 1, 2, 3, 4, 5, 6, 7];
  const four = (offset: number): Code[] => [
    local.set(floats, v128.load(offset, local.get(from))),
    local.set(large, v128.or(local.get(large), i32x4.geU(magnitudeOf(floats), v128.splat(FIRST_TOO_LARGE)))),
    local.set(rounded, roundedToHalves(floats)),
  ];
  const loop = doWhile(
    i32.ltU(local.get(from), local.get(end)),
    ...four(0),
    local.set(lower, halvesOfFloats(floats, rounded)),
    ...four(VECTOR_BYTES),
    v128.store(0, local.get(to), i32x4.narrow(local.get(lower), halvesOfFloats(floats, rounded))),
    advance(from, 2 * VECTOR_BYTES),
    advance(to, VECTOR_BYTES),
  );
  const code = [loop, local.set(flag, v128.anyTrue(local.get(large))), local.get(flag)];
  return { name: 'toHalves', parameters: 3, result: 'i32', integers: 1, vectors: 4, code };
}

/**
 * strip += up * down, for a strip of four rows.
 *
 * Parameters: address of the strip, bytes of one of its rows (a multiple of 32), end of its first row, address and end of
 * `up` [rank][4], address of `down` [columns / 8][rank][8]: both in the order in which they are read.
 */
function addProduct(): WasmFunction {
  const [strip, stride, end, up, upEnd, down, pointer] = [0, 1, 2, 3, 4, 5, 6];
  const rows = [strip, 7, 8, 9];
  const [left, right, factor, sums] = [10, 11, 12, 13];
  const sum = (row: number, half: number) => sums + 2 * row + half;
  const tile = (each: (row: number, half: number) => Code) => rows.flatMap((_, row) => [each(row, 0), each(row, 1)]);
  const multiply = (row: number): Code[] => [
    local.set(factor, v128.loadSplat(4 * row, local.get(pointer))),
    ...[left, right].map((operand, half) => {
      const product = f32x4.mul(local.get(factor), local.get(operand));
      return local.set(sum(row, half), f32x4.add(local.get(sum(row, half)), product));
    }),
  ];
  const inner = doWhile(
    i32.ltU(local.get(pointer), local.get(upEnd)),
    local.set(left, v128.load(0, local.get(down))),
    local.set(right, v128.load(VECTOR_BYTES, local.get(down))),
    ...rows.flatMap((_, row) => multiply(row)),
    advance(pointer, 4 * TILE_ROWS),
    advance(down, 4 * TILE_COLUMNS),
  );
  const outer = doWhile(
    i32.ltU(local.get(strip), local.get(end)),
    ...rows.slice(1).map((row, index) => local.set(row, i32.add(local.get(rows[index] ?? 0), local.get(stride)))),
    ...tile((row, half) => local.set(sum(row, half), v128.load(VECTOR_BYTES * half, local.get(rows[row] ?? 0)))),
    local.set(pointer, local.get(up)),
    inner,
    ...tile((row, half) => v128.store(VECTOR_BYTES * half, local.get(rows[row] ?? 0), local.get(sum(row, half)))),
    advance(strip, 4 * TILE_COLUMNS),
  );
  return { name: 'addProduct', parameters: 6, integers: 4, vectors: 11, code: [outer] };
}

/** The kernel's module: vectors of four floats, which every processor that Node runs on has. */
export function kernelModule(): WebAssembly.Module {
  const functions = [
    widen('fromHalves', floatsOfHalves),
    widen('fromBfloats', floatsOfBfloats),
    narrow(),
    addProduct(),
  ];
  return new WebAssembly.Module(assemble(functions, MOST_PAGES));
}
