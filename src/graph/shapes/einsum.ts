/** An einsum of two tensors, a letter a dimension: "abc,cde->abde". */
export interface Equation {
  readonly left: string;
  readonly right: string;
  readonly result: string;
}

/** Reads the equation of an Einsum of two tensors; undefined for other numbers of tensors, ellipses and diagonals. */
export function parseEquation(text: string): Equation | undefined {
  const found = /^([a-z]*),([a-z]*)->([a-z]*)$/i.exec(text.replace(/\s/g, ''));
  const [, left, right, result] = found ?? [];
  if (left === undefined || right === undefined || result === undefined) return undefined;
  const repeats = [left, right, result].some((labels) => new Set(labels).size !== labels.length);
  const inputs = left + right;
  return repeats || [...result].some((label) => !inputs.includes(label)) ? undefined : { left, right, result };
}

/** The equation of a batched matrix product: BatchMatMul, or MatMul where the rank is 2. */
export function productEquation(rank: number, transposeLeft: boolean, transposeRight: boolean): Equation {
  const batch = 'abcdefgh'.slice(0, Math.max(0, rank - 2));
  return {
    left: batch + (transposeLeft ? 'kx' : 'xk'),
    right: batch + (transposeRight ? 'yk' : 'ky'),
    result: `${batch}xy`,
  };
}
