import type { Float32Tensor } from './safetensors.ts';

/** Arrays one after the other. */
export function concatenate(parts: readonly Float32Array[]): Float32Array {
  const all = new Float32Array(parts.reduce((length, part) => length + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    all.set(part, offset);
    offset += part.length;
  }
  return all;
}

/** Rows of equal shapes below each other: [1, ...] each becomes [parts, ...]. */
export function stacked(parts: readonly Float32Tensor[]): Float32Tensor {
  const [first] = parts;
  const rows = parts.reduce((sum, { shape }) => sum + (shape[0] ?? 0), 0);
  return { shape: [rows, ...(first?.shape.slice(1) ?? [])], data: concatenate(parts.map(({ data }) => data)) };
}
