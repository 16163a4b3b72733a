import { type Graph, loadedBytes, sizeOf, storedBytes, type WeightSpec } from '../graph/index.ts';
import type { WeightTotals } from './inspect-report.ts';

/**
 * Whether a Const is a parameter of the model: of floats, of one dimension or more, and not written into its node, as
 * the constants of our own graphs are.
 */
export function isParameter(graph: Graph, { name, shape, dtype }: WeightSpec): boolean {
  const node = graph.node(name);
  if (node?.op !== 'Const' || dtype !== 'float32' || shape.length === 0) return false;
  return !node.attributes.value?.tensor?.tensorContent;
}

/** Counts the weights of a graph that its nodes use. */
export function weightTotals(graph: Graph): WeightTotals {
  const specs = graph.weightGroups.flatMap((group) => group.weights);
  const used = specs.filter(({ name }) => graph.node(name));
  const own = used.filter((spec) => isParameter(graph, spec));
  const storedAs: Record<string, number> = {};
  for (const { shape, dtype, quantization } of own) {
    const type = quantization?.dtype ?? dtype;
    storedAs[type] = (storedAs[type] ?? 0) + sizeOf(shape);
  }
  return {
    count: own.length,
    parameters: sum(own, ({ shape }) => sizeOf(shape)),
    stored_bytes: sum(own, (spec) => storedBytes(spec) ?? 0),
    loaded_bytes: sum(own, loadedBytes),
    stored_as: storedAs,
    constants: used.length - own.length,
    unused: specs.length - used.length,
  };
}

/** Parameters of the named weights. Names that are not weights count nothing. */
export function parametersOf(graph: Graph, names: Iterable<string>): number {
  return sum([...new Set(names)], (name) => sizeOf(graph.weight(name)?.shape ?? [0]));
}

/** The sum of a number of every item. */
export function sum<T>(items: Iterable<T>, of: (item: T) => number): number {
  let total = 0;
  for (const item of items) total += of(item);
  return total;
}
