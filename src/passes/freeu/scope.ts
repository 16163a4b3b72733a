import { type Attributes, attr, type Endpoint, type Graph } from '../../graph/index.ts';

/** Adds nodes whose names begin alike. */
export interface Scope {
  /** Adds a node and gives its first output. */
  op(name: string, op: string, inputs: readonly Endpoint[], attributes?: Attributes): Endpoint;
  /** Numbers to compute with; a scalar without a shape. */
  floats(values: readonly number[], shape?: readonly number[]): Endpoint;
  /** Shapes, axes and limits: they are read on the CPU, and must stay out of the kernels of a GPU. */
  ints(values: readonly number[], shape?: readonly number[]): Endpoint;
}

const FLOAT = attr.type('float32');

/**
 * Makes scopes of a graph. Small constants are shared among them: asking twice for the same values gives the same node.
 *
 * @param root what all names begin with
 */
export function scopesOf(graph: Graph, root: string): (name: string) => Scope {
  const constants = new Map<string, Endpoint>();
  const constant =
    (dtype: 'float32' | 'int32') =>
    (values: readonly number[], shape: readonly number[] = []) => {
      const key = `${dtype}/${shape.join('x')}/${values.join(',')}`;
      const value = { dtype, shape: [...shape], values: [...values] };
      const known = constants.get(key) ?? graph.addConstant(graph.uniqueName(`${root}/constant`), value);
      constants.set(key, known);
      return known;
    };
  const shared = { floats: constant('float32'), ints: constant('int32') };
  return (scope) => ({
    ...shared,
    op: (name, op, inputs, attributes = {}) =>
      graph.add({
        ...{ name: graph.uniqueName(`${root}/${scope}/${name}`), op, inputs },
        attributes: { T: FLOAT, ...attributes },
      }),
  });
}
