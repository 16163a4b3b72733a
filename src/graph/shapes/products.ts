import { readBool, readString } from '../attributes.ts';
import { type Abstract, type Call, type Dims, dimsAt, type Rule } from './abstract.ts';
import { parseEquation } from './einsum.ts';
import { broadcast } from './elementwise.ts';

function matrixProduct(adjointLeft: string, adjointRight: string): Rule {
  return (call) => {
    const x = dimsAt(call, 0);
    const y = dimsAt(call, 1);
    if (!x || !y || x.length < 2 || y.length < 2) return undefined;
    const batch = broadcast(x.slice(0, -2), y.slice(0, -2));
    const rows = x.at(readBool(call.attributes, adjointLeft) ? -1 : -2);
    const columns = y.at(readBool(call.attributes, adjointRight) ? -2 : -1);
    return batch && { dims: [...batch, rows, columns] };
  };
}

function einsum(call: Call): Abstract | undefined {
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

/** The one node that stands for an attention: its output form says how the merged heads leave. */
function slothfulAttention(call: Call): Abstract | undefined {
  const hidden = dimsAt(call, 0);
  const cross = readBool(call.attributes, 'cross');
  const value = dimsAt(call, cross ? 4 : 3);
  const heads = Number(call.attributes.heads?.i ?? 1);
  const transposed = readBool(call.attributes, 'transposeWeights');
  if (!hidden) return undefined;
  const inner = innerWidth(value, transposed);
  const from = readString(call.attributes, 'hiddenForm', 'tokens').toLowerCase();
  const to = readString(call.attributes, 'outputForm', from).toLowerCase();
  if (to === 'heads') {
    const headDim = inner === undefined ? undefined : inner / heads;
    const [batch, tokens] = from === 'tokens' ? hidden : [undefined, undefined];
    return { dims: [batch, tokens, heads, headDim] };
  }
  return { dims: from === to ? [...hidden.slice(0, -1), inner] : otherForm(hidden, to, inner) };
}

function otherForm(hidden: Dims, to: string, inner: number | undefined): Dims {
  const known = hidden.slice(0, -1);
  const count = known.every((size) => size !== undefined) ? known.reduce((product, size) => product * size, 1) : NaN;
  if (to === 'flat') return [Number.isNaN(count) ? undefined : count, inner];
  const [batch] = hidden.length > 2 ? hidden : [undefined];
  if (to === 'grid') return [batch, undefined, undefined, inner];
  return [batch, batch === undefined || Number.isNaN(count) ? undefined : count / batch, inner];
}

function innerWidth(weight: Dims | undefined, transposed: boolean): number | undefined {
  if (weight?.length !== 3) return transposed ? weight?.[0] : weight?.at(-1);
  const [, heads, dim] = weight;
  return heads === undefined || dim === undefined ? undefined : heads * dim;
}

/** Shape functions of products. */
export const PRODUCTS: Readonly<Record<string, Rule>> = {
  _FusedMatMul: matrixProduct('transpose_a', 'transpose_b'),
  BatchMatMul: matrixProduct('adj_x', 'adj_y'),
  BatchMatMulV2: matrixProduct('adj_x', 'adj_y'),
  BatchMatMulV3: matrixProduct('adj_x', 'adj_y'),
  Einsum: einsum,
  MatMul: matrixProduct('transpose_a', 'transpose_b'),
  SlothfulAttention: slothfulAttention,
};
