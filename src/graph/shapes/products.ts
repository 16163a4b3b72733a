import { readBool, readString } from '../attributes.ts';
import { type AbstractTensor, type Dims, dimsAt, type ShapeCall, type ShapeRule } from './abstract.ts';
import { broadcast } from './elementwise.ts';

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

function matrixProduct(adjointLeft: string, adjointRight: string): ShapeRule {
  return (call) => {
    const x = dimsAt(call, 0);
    const y = dimsAt(call, 1);
    if (!x && y?.length === 2 && isOfMatrices(call))
      return { dims: [undefined, y.at(readBool(call.attributes, adjointRight) ? -2 : -1)] };
    if (!x || !y || x.length < 2 || y.length < 2) return undefined;
    const batch = broadcast(x.slice(0, -2), y.slice(0, -2));
    const rows = x.at(readBool(call.attributes, adjointLeft) ? -1 : -2);
    const columns = y.at(readBool(call.attributes, adjointRight) ? -2 : -1);
    return batch && { dims: [...batch, rows, columns] };
  };
}

/** MatMul is of matrices alone. */
function isOfMatrices({ node }: ShapeCall): boolean {
  return node.op === 'MatMul' || node.op === '_FusedMatMul';
}

function einsum(call: ShapeCall): AbstractTensor | undefined {
  const equation = parseEquation(readString(call.attributes, 'equation'));
  if (!equation) return { dims: undefined, reason: 'an Einsum equation of another kind than "ab,bc->ac"' };
  const sizes = new Map<string, number | undefined>();
  const note = (labels: string, dims: Dims | undefined) =>
    [...labels].forEach((label, axis) => {
      sizes.set(label, sizes.get(label) ?? dims?.[axis]);
    });
  note(equation.left, dimsAt(call, 0));
  note(equation.right, dimsAt(call, 1));
  return { dims: [...equation.result].map((label) => sizes.get(label)) };
}

/** Shape functions of products. */
export const PRODUCTS: Readonly<Record<string, ShapeRule>> = {
  _FusedMatMul: matrixProduct('transpose_a', 'transpose_b'),
  BatchMatMul: matrixProduct('adj_x', 'adj_y'),
  BatchMatMulV2: matrixProduct('adj_x', 'adj_y'),
  BatchMatMulV3: matrixProduct('adj_x', 'adj_y'),
  Einsum: einsum,
  MatMul: matrixProduct('transpose_a', 'transpose_b'),
};
