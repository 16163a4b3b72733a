/** WebAssembly code as its bytes. Operands come first, as on the machine's stack: `op(a, b)` is a, b, op. */
export type Code = readonly number[];

const I32 = 0x7f;
const SHARED_WITH_MAXIMUM = 3;
const V128 = 0x7b;

/** A signed number in LEB128, as immediates are stored. */
function signed(value: number): number[] {
  const bytes: number[] = [];
  for (let rest = value; ; rest >>= 7) {
    const low = rest & 0x7f;
    const last = rest >> 6 === 0 || rest >> 6 === -1;
    bytes.push(last ? low : low | 0x80);
    if (last) return bytes;
  }
}

function unsigned(value: number): number[] {
  const bytes: number[] = [];
  for (let rest = value; ; rest >>>= 7) {
    if (rest < 0x80) return [...bytes, rest];
    bytes.push((rest & 0x7f) | 0x80);
  }
}

function plain(opcode: number) {
  return (...operands: readonly Code[]): Code => [...operands.flat(), opcode];
}

function vector(opcode: number) {
  return (...operands: readonly Code[]): Code => [...operands.flat(), 0xfd, ...unsigned(opcode)];
}

/** A load or store: its alignment is left at one byte, which is only a hint. */
function memory(opcode: number) {
  return (offset: number, ...operands: readonly Code[]): Code => [
    ...operands.flat(),
    0xfd,
    ...unsigned(opcode),
    0,
    ...unsigned(offset),
  ];
}

export const local = {
  get: (index: number): Code => [0x20, ...unsigned(index)],
  set: (index: number, value: Code): Code => [...value, 0x21, ...unsigned(index)],
};

export const i32 = {
  const: (value: number): Code => [0x41, ...signed(value | 0)],
  add: plain(0x6a),
  or: plain(0x72),
  ltU: plain(0x49),
};

/** 128-bit vectors: of four floats or four integers. */
export const v128 = {
  load: memory(0),
  loadSplat: memory(9),
  store: memory(11),
  and: vector(78),
  or: vector(80),
  xor: vector(81),
  select: vector(82),
  anyTrue: vector(83),
  /** The same 32 bits in all four lanes. */
  splat: (bits: number): Code => vector(17)(i32.const(bits)),
};

export const i32x4 = {
  add: vector(174),
  ltU: vector(58),
  geU: vector(64),
  maxU: vector(185),
  extendLow: vector(169),
  extendHigh: vector(170),
  /** Two vectors of 16-bit values in 32 bits each to one. */
  narrow: vector(134),
  shl: (value: Code, bits: number): Code => vector(171)(value, i32.const(bits)),
  shrU: (value: Code, bits: number): Code => vector(173)(value, i32.const(bits)),
};

export const f32x4 = { add: vector(228), sub: vector(229), mul: vector(230) };

/** Repeats `body` while `condition` holds at its end; it runs once at least. */
export function doWhile(condition: Code, ...body: readonly Code[]): Code {
  return [0x03, 0x40, ...body.flat(), ...condition, 0x0d, 0, 0x0b];
}

/** A function of 32-bit integer parameters; locals are numbered after them, integers first. */
export interface WasmFunction {
  readonly name: string;
  readonly parameters: number;
  readonly result?: 'i32';
  readonly integers: number;
  readonly vectors: number;
  readonly code: readonly Code[];
}

function section(id: number, items: readonly Code[]): Code {
  const content = [...unsigned(items.length), ...items.flat()];
  return [id, ...unsigned(content.length), ...content];
}

function text(value: string): Code {
  return [...unsigned(value.length), ...new TextEncoder().encode(value)];
}

function bodyOf({ integers, vectors, code }: WasmFunction): Code {
  const body = [2, ...unsigned(integers), I32, ...unsigned(vectors), V128, ...code.flat(), 0x0b];
  return [...unsigned(body.length), ...body];
}

/**
 * The binary of a module that imports a shared memory as `env.memory` and exports the functions.
 *
 * Source: WebAssembly core specification 2.0, "Binary format".
 */
export function assemble(functions: readonly WasmFunction[], mostPages: number): Uint8Array<ArrayBuffer> {
  const types = functions.map(({ parameters, result }) => {
    const inputs = Array.from({ length: parameters }, () => I32);
    return [0x60, ...unsigned(parameters), ...inputs, ...(result ? [1, I32] : [0])];
  });
  return Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, types),
    ...section(2, [[...text('env'), ...text('memory'), 2, SHARED_WITH_MAXIMUM, 1, ...unsigned(mostPages)]]),
    ...section(
      3,
      functions.map((_, index) => unsigned(index)),
    ),
    ...section(
      7,
      functions.map(({ name }, index) => [...text(name), 0, ...unsigned(index)]),
    ),
    ...section(10, functions.map(bodyOf)),
  ]);
}
