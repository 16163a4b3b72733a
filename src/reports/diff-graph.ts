import { formatEndpoint, type Graph, type GraphNode, type WeightSpec } from '../graph/index.ts';
import type { ChangedNames, DiffReport, WeightComparison } from './diff-report.ts';
import { parametersOf } from './weights.ts';

/** What is in one list and not in the other. */
export function namesDiff(a: Iterable<string>, b: Iterable<string>): ChangedNames {
  const [inA, inB] = [new Set(a), new Set(b)];
  return { added: [...inB].filter((name) => !inA.has(name)), removed: [...inA].filter((name) => !inB.has(name)) };
}

/** Compares nodes by name. */
export function diffNodes(a: Graph, b: Graph): DiffReport['nodes'] {
  const names = (graph: Graph) => [...graph.nodes].map(({ name }) => name);
  const { added, removed } = namesDiff(names(a), names(b));
  const changed: string[] = [];
  for (const node of a.nodes) {
    const other = b.node(node.name);
    if (other && spelled(node) !== spelled(other)) changed.push(node.name);
  }
  return { same: a.size - removed.length - changed.length, added, removed, changed };
}

function spelled({ op, inputs, controls, attributes }: GraphNode): string {
  const sorted = Object.entries(attributes).sort(([x], [y]) => (x < y ? -1 : 1));
  return JSON.stringify([op, inputs.map(formatEndpoint), controls, sorted]);
}

/** Ops that one graph has more nodes of than the other. */
export function diffOps(a: Readonly<Record<string, number>>, b: Readonly<Record<string, number>>): DiffReport['ops'] {
  const ops = [...new Set([...Object.keys(a), ...Object.keys(b)])];
  return ops.map((op) => ({ op, a: a[op] ?? 0, b: b[op] ?? 0 })).filter((each) => each.a !== each.b);
}

/** The parameters that two models do not share. */
export function diffParameters(a: object, b: object): DiffReport['parameters'] {
  const [left, right] = [asTexts(a), asTexts(b)];
  return [...new Set([...left.keys(), ...right.keys()])]
    .map((name) => ({ name, a: left.get(name) ?? null, b: right.get(name) ?? null }))
    .filter((each) => each.a !== each.b);
}

function asTexts(parameters: object): Map<string, string> {
  return new Map(Object.entries(parameters).map(([name, value]) => [name, String(value)]));
}

/** The weights of a graph that its nodes use, by name. */
function usedWeights(graph: Graph): Map<string, WeightSpec> {
  const specs = graph.weightGroups.flatMap(({ weights }) => weights).filter(({ name }) => graph.node(name));
  return new Map(specs.map((spec) => [spec.name, spec]));
}

/** Names of the weights that two models both use in the same shape and type: those whose bytes can be compared. */
export function comparableWeights(a: Graph, b: Graph): string[] {
  const other = usedWeights(b);
  return [...usedWeights(a)].filter(([name, spec]) => sameSpec(spec, other.get(name))).map(([name]) => name);
}

function sameSpec(a: WeightSpec, b: WeightSpec | undefined): boolean {
  return JSON.stringify([a.shape, a.dtype, a.quantization]) === JSON.stringify([b?.shape, b?.dtype, b?.quantization]);
}

/** Compares the weights that nodes use, by their bytes where those were compared. */
export function diffWeights(a: Graph, b: Graph, comparison: WeightComparison | undefined): DiffReport['weights'] {
  const [left, right] = [usedWeights(a), usedWeights(b)];
  const comparable = comparableWeights(a, b);
  const alike = new Set(comparable);
  const equal = comparison?.equal ?? comparable;
  return {
    compared_by: comparison ? 'bytes' : 'shapes',
    equal: equal.length,
    equal_parameters: parametersOf(a, equal),
    shared: comparison?.shared ?? null,
    different: comparison?.different ?? [],
    reshaped: [...left.keys()].filter((name) => right.has(name) && !alike.has(name)),
    ...namesDiff(left.keys(), right.keys()),
  };
}
