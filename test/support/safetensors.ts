import { readFileSync } from 'node:fs';

export interface FixtureTensor {
  readonly shape: number[];
  readonly data: Float32Array;
}

interface Entry {
  readonly dtype: string;
  readonly shape: number[];
  readonly data_offsets: [number, number];
}

/** Reads every F32 and F16 tensor of a fixture. Trusts it: the toolkit's own reader is the one that checks. */
export function readSafetensors(path: string | URL): Map<string, FixtureTensor> {
  const bytes = readFileSync(path);
  const headerLength = Number(bytes.readBigUInt64LE(0));
  const header: Record<string, Entry> = JSON.parse(bytes.toString('utf8', 8, 8 + headerLength));
  const start = 8 + headerLength;
  const tensors = new Map<string, FixtureTensor>();
  for (const [name, { dtype, shape, data_offsets }] of Object.entries(header)) {
    if (name === '__metadata__') continue;
    const [from, to] = data_offsets;
    // A copy of its own, aligned as typed arrays need it.
    const content = new Uint8Array(bytes.subarray(start + from, start + to)).buffer;
    tensors.set(name, { shape, data: decode(dtype, content, name) });
  }
  return tensors;
}

function decode(dtype: string, content: ArrayBuffer, name: string): Float32Array {
  if (dtype === 'F32') return new Float32Array(content);
  if (dtype === 'F16') return Float32Array.from(new Uint16Array(content), halfToFloat);
  throw new Error(`${name}: fixtures hold F32 and F16, got ${dtype}`);
}

function halfToFloat(half: number): number {
  const sign = half & 0x8000 ? -1 : 1;
  const exponent = (half >> 10) & 31;
  const fraction = half & 1023;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}
