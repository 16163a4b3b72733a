import { registerGraphOp, type ShapeCall } from '../../graph/index.ts';
import type { ChannelPart } from '../site.ts';
import { ATTENTION_OP, type NodeAttributes, type NodeInputs, nameInputs, partsOf, readAttributes } from './contract.ts';

/** Sizes of a tensor, undefined where one is not known. */
export type Sizes = readonly (number | undefined)[];

/**
 * The shape of the merged heads: what the output form makes of the hidden states' tokens.
 *
 * @param inputs the shapes of the node's inputs
 * @param grid the values of the grid input, [batch, rows, columns, channels], where they are known
 */
export function attentionShape(inputs: NodeInputs<Sizes>, attributes: NodeAttributes, grid?: Sizes): Sizes {
  const { hiddenForm, outputForm, heads, transposeWeights } = attributes;
  const inner = innerWidth(inputs.valueWeight, transposeWeights, partsOf(attributes).value);
  const hidden = inputs.hiddenStates;
  if (outputForm === hiddenForm) return [...hidden.slice(0, -1), inner];
  const [batch, rows, columns] = grid?.length === 4 ? grid : extentOf(hidden, hiddenForm);
  const tokens = hiddenForm === 'tokens' ? hidden[1] : multiply(rows, columns);
  if (outputForm === 'flat') return [multiply(batch, tokens), inner];
  if (outputForm === 'grid') return [batch, rows, columns, inner];
  const width = inner === undefined ? undefined : inner / heads;
  if (outputForm === 'heads') return [batch, tokens, heads, width];
  if (outputForm === 'grid-heads') return [batch, rows, columns, heads, width];
  return [batch, tokens, inner];
}

/** Batch, rows and columns as far as the hidden states tell. */
function extentOf(hidden: Sizes, form: NodeAttributes['hiddenForm']): Sizes {
  if (form === 'grid') return hidden.slice(0, 3);
  return form === 'tokens' ? [hidden[0], undefined, undefined] : [undefined, undefined, undefined];
}

/** Width that a projection gives: its part of what is left of its weight's shape without the channels that it takes. */
export function innerWidth(weight: Sizes, transposed: boolean, part?: ChannelPart): number | undefined {
  const made = transposed ? weight.slice(0, -1) : weight.slice(isPointwise(weight) ? 3 : 1);
  const width = made.length ? made.reduce(multiply) : undefined;
  return part && width !== undefined ? (width / part.period) * part.length : width;
}

/** The weight of a 1x1 convolution, [1, 1, in, out]. */
function isPointwise(weight: Sizes): boolean {
  return weight.length === 4 && weight[0] === 1 && weight[1] === 1;
}

function multiply(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined || b === undefined ? undefined : a * b;
}

/** Channels that a projection takes. */
export function outerWidth(weight: Sizes, transposed: boolean): number | undefined {
  if (transposed) return weight.at(-1);
  return isPointwise(weight) ? weight[2] : weight[0];
}

/** The rule as a graph asks it: what is known of the shapes of the inputs, and of the values of the grid's. */
function shapeOfCall({ node, inputs }: ShapeCall) {
  const attributes = readAttributes(node);
  const named = nameInputs(inputs, attributes, `node "${node.name}"`);
  const { hiddenStates, valueWeight, grid } = named;
  if (!hiddenStates.dims || !valueWeight.dims) return undefined;
  const dims = { hiddenStates: hiddenStates.dims, valueWeight: valueWeight.dims };
  return { dims: attentionShape({ ...dims, queryWeight: [], keyWeight: [] }, attributes, grid?.values) };
}

registerGraphOp({ op: ATTENTION_OP, shape: shapeOfCall, outputs: 1 });
