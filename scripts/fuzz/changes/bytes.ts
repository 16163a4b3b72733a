import fc from 'fast-check';

/** What is done to the bytes of a file, whatever is in it. */
export type BytesChange =
  | { readonly does: 'flip'; readonly at: number; readonly mask: number }
  | { readonly does: 'cut'; readonly at: number }
  | { readonly does: 'insert'; readonly at: number; readonly bytes: readonly number[] }
  | { readonly does: 'remove'; readonly at: number; readonly count: number }
  | { readonly does: 'fill'; readonly at: number; readonly count: number; readonly byte: number }
  | { readonly does: 'append'; readonly count: number }
  | { readonly does: 'number'; readonly at: number; readonly value: number; readonly wide: boolean };

/** Where: half of them near the start, where headers are. */
const AT = fc.oneof(fc.nat(64), fc.nat());
const COUNT = fc.constantFrom(1, 2, 3, 8, 100, 1000);

const of = <T extends BytesChange['does']>(does: T) => fc.constant(does);

export const BYTES_CHANGE: fc.Arbitrary<BytesChange> = fc.oneof(
  fc.record({ does: of('flip'), at: AT, mask: fc.integer({ min: 1, max: 255 }) }),
  fc.record({ does: of('cut'), at: AT }),
  fc.record({ does: of('insert'), at: AT, bytes: fc.array(fc.nat(255), { minLength: 1, maxLength: 12 }) }),
  fc.record({ does: of('remove'), at: AT, count: COUNT }),
  fc.record({ does: of('fill'), at: AT, count: COUNT, byte: fc.constantFrom(0, 0xff, 0x20, 0x22, 0x7b, 0x5b) }),
  fc.record({ does: of('append'), count: COUNT }),
  fc.record({
    does: of('number'),
    at: AT,
    value: fc.constantFrom(0, 1, 7, 8, 100, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff),
    wide: fc.boolean(),
  }),
);

/** The bytes with a change; positions are taken modulo their number. */
export function changeBytes(bytes: Uint8Array, change: BytesChange): Uint8Array {
  const at = 'at' in change ? change.at % (bytes.length + 1) : bytes.length;
  const before = bytes.subarray(0, at);
  switch (change.does) {
    case 'cut':
      return before;
    case 'insert':
      return Buffer.concat([before, Uint8Array.from(change.bytes), bytes.subarray(at)]);
    case 'remove':
      return Buffer.concat([before, bytes.subarray(at + change.count)]);
    case 'append':
      return Buffer.concat([bytes, Buffer.alloc(change.count, 0x41)]);
    case 'flip':
      return written(bytes, at, [(bytes[at] ?? 0) ^ change.mask]);
    case 'fill':
      return written(bytes, at, Array<number>(change.count).fill(change.byte));
    case 'number':
      return written(bytes, at, littleEndian(change.value, change.wide));
  }
}

function littleEndian(value: number, wide: boolean): number[] {
  const low = [value, value >>> 8, value >>> 16, value >>> 24].map((byte) => byte & 0xff);
  return wide ? [...low, 0, 0, 0, 0] : low;
}

/** A copy with some bytes over those that were there; what does not fit falls off. */
function written(bytes: Uint8Array, at: number, over: readonly number[]): Uint8Array {
  const copy = Uint8Array.from(bytes);
  copy.set(over.slice(0, Math.max(0, bytes.length - at)), Math.min(at, bytes.length));
  return copy;
}
