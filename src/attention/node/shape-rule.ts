import {
  type AbstractTensor,
  countOf,
  type Dims,
  dimsAt,
  readBool,
  readInt,
  readString,
  registerGraphOp,
  type ShapeCall,
} from '../../graph/index.ts';
import { SLOTHFUL_OP } from './contract.ts';

/** Batch, rows and columns of the tokens, as far as they are known. */
type Grid = readonly [batch: number | undefined, rows: number | undefined, columns: number | undefined];

/**
 * The one node that stands for an attention: its output form says how the merged heads leave. Inputs and attributes as
 * the node contract has them: hidden states, context of a cross-attention, three weights, ..., the shape of the grid.
 */
function attentionShape(call: ShapeCall): AbstractTensor | undefined {
  const hidden = dimsAt(call, 0);
  const value = dimsAt(call, readBool(call.attributes, 'cross') ? 4 : 3);
  if (!hidden) return undefined;
  const inner = innerWidth(value, readBool(call.attributes, 'transposeWeights'));
  const from = readString(call.attributes, 'hiddenForm', 'tokens').toLowerCase();
  const to = readString(call.attributes, 'outputForm', 'tokens').toLowerCase();
  if (from === to) return { dims: [...hidden.slice(0, -1), inner] };
  const heads = readInt(call.attributes, 'heads', 1);
  return { dims: dimsOf(to, gridOf(call, hidden), inner, heads) };
}

/** The grid input tells all; without one the hidden states tell what their form does. */
function gridOf(call: ShapeCall, hidden: Dims): Grid {
  const last = call.inputs.at(-1)?.values;
  if (last?.length === 4) return [last[0], last[1], last[2]];
  if (hidden.length === 4) return [hidden[0], hidden[1], hidden[2]];
  return hidden.length === 3 ? [hidden[0], hidden[1], 1] : [undefined, undefined, undefined];
}

function dimsOf(form: string, [batch, rows, columns]: Grid, inner: number | undefined, heads: number): Dims {
  const tokens = countOf([rows, columns]);
  if (form === 'flat') return [countOf([batch, tokens]), inner];
  if (form === 'grid') return [batch, rows, columns, inner];
  if (form === 'heads') return [batch, tokens, heads, inner === undefined ? undefined : inner / heads];
  return [batch, tokens, inner];
}

function innerWidth(weight: Dims | undefined, transposed: boolean): number | undefined {
  if (weight?.length === 3) return countOf(weight.slice(1));
  return transposed ? weight?.[0] : weight?.at(-1);
}

registerGraphOp({ op: SLOTHFUL_OP, shape: attentionShape, outputs: 1 });
