import { attr, type Endpoint, type Graph } from '../../graph/index.ts';
import { CONTROL_COLUMNS, encodeControl, UNTOUCHED } from './index.ts';

/** Name of the input that carries the control table. */
export const CONTROL_INPUT = 'slothful_control';

/**
 * Adds the control table as an optional input, [sites, 7] float32, whose default leaves every site as it is.
 *
 * It stays out of the signature, so that callers who feed inputs by position are not disturbed.
 */
export function addControlInput(graph: Graph, sites: number): Endpoint {
  const values = [...encodeControl(Array.from({ length: sites }, () => UNTOUCHED))];
  const fallback = graph.addConstant(graph.uniqueName(`${CONTROL_INPUT}/default`), {
    dtype: 'float32',
    shape: [sites, CONTROL_COLUMNS],
    values,
  });
  return graph.add({
    name: CONTROL_INPUT,
    op: 'PlaceholderWithDefault',
    inputs: [fallback],
    attributes: { dtype: attr.type('float32'), shape: attr.shape([sites, CONTROL_COLUMNS]) },
  });
}
