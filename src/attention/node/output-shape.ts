import type { Shape } from '../../kernels/shape.ts';
import type { NodeAttributes, NodeInputs } from './contract.ts';

/** The shape that an attention of such inputs has, null where it depends on what runs. */
export function outputShapeOf(inputs: NodeInputs<Shape>, attributes: NodeAttributes): Shape {
  const { hiddenForm, outputForm, heads } = attributes;
  const hidden = inputs.hiddenStates;
  const inner = innerOf(inputs, attributes);
  const leading = hidden.slice(0, -1);
  if (outputForm === hiddenForm) return [...leading, inner];
  if (outputForm === 'flat') return [null, inner];
  const batch = hiddenForm === 'flat' ? null : (leading[0] ?? null);
  if (outputForm === 'grid') return [batch, null, null, inner];
  const tokens = hiddenForm === 'tokens' ? (leading[1] ?? null) : null;
  return outputForm === 'tokens'
    ? [batch, tokens, inner]
    : [batch, tokens, heads, inner === null ? null : inner / heads];
}

/** Columns of the value weight: what is left of it without the channels that it takes. */
function innerOf(inputs: NodeInputs<Shape>, { transposeWeights }: NodeAttributes): number | null {
  const weight = inputs.valueWeight;
  if (transposeWeights) return weight.at(-2) ?? null;
  const columns = weight.length === 3 ? weight.slice(1) : weight.slice(-1);
  return columns.reduce<number | null>((all, size) => (all === null || size === null ? null : all * size), 1);
}
