import { assemble, type Code, doWhile, f32x4, i32, i32x4, local, v128, type WasmFunction } from './assembler.ts';

/** Rows and columns that `addProduct` keeps in registers: 8 accumulators of 16 leave room for the operands. */
export const TILE_ROWS = 4;
export const TILE_COLUMNS = 8;

const VECTOR_BYTES = 16;
const PANEL_BYTES = 4 * TILE_COLUMNS;
const SIGN = 0x80000000;
/** Bits of the float32s 2^112, 2^-112 and 2^-110. */
const [TWO_TO_112, TWO_TO_MINUS_112, TWO_TO_MINUS_110] = [0x77800000, 0x07800000, 0x08800000];
const HALF_BITS = 0x3f000000;

function advance(pointer: number, bytes: number): Code {
  return local.set(pointer, i32.add(local.get(pointer), i32.const(bytes)));
}

/** Four halves, each in the lower half of a lane, as floats. Source: the FP16 library, fp16_ieee_to_fp32_value. */
function floatsOfHalves(halves: Code): Code {
  const doubled = i32x4.shl(halves, 17);
  const normal = f32x4.mul(
    i32x4.add(i32x4.shrU(doubled, 4), v128.splat(0xe0 << 23)),
    v128.splat(TWO_TO_MINUS_112),
  );
  const subnormal = f32x4.sub(v128.or(i32x4.shrU(doubled, 17), v128.splat(HALF_BITS)), v128.splat(HALF_BITS));
  const magnitude = v128.select(subnormal, normal, i32x4.ltU(doubled, v128.splat(1 << 27)));
  return v128.or(magnitude, v128.and(i32x4.shl(halves, 16), v128.splat(SIGN)));
}

/** Four floats of a local as halves in 32-bit lanes, rounded to nearest even. Source: FP16, fp16_ieee_from_fp32_value. */
function halvesOfFloats(x: number): Code {
  const magnitude = v128.and(local.get(x), v128.splat(~SIGN));
  const scaled = f32x4.mul(f32x4.mul(magnitude, v128.splat(TWO_TO_112)), v128.splat(TWO_TO_MINUS_110));
  const exponent = v128.and(i32x4.add(magnitude, v128.splat(TWO_TO_MINUS_112)), v128.splat(0x7f800000));
  const rounded = f32x4.add(scaled, i32x4.maxU(exponent, v128.splat(0x40000000)));
  return rounded;
}

/** 16-bit values at `from` to floats at `to`; `count` is a multiple of 8. Parameters: from, to, end of `to`. */
function widen(name: string, convert: (halves: Code) => Code): WasmFunction {
  const [from, to, end, halves] = [0, 1, 2, 3];
  const code = doWhile(
    i32.ltU(local.get(to), local.get(end)),
    local.set(halves, v128.load(0, local.get(from))),
    v128.store(0, local.get(to), convert(i32x4.extendLow(local.get(halves)))),
    v128.store(VECTOR_BYTES, local.get(to), convert(i32x4.extendHigh(local.get(halves)))),
    advance(from, VECTOR_BYTES),
    advance(to, 2 * VECTOR_BYTES),
  );
  return { name, parameters: 3, integers: 0, vectors: 1, code: [code] };
}
