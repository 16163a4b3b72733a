import type { Graph } from '../graph/index.ts';
import { diffNodes, diffOps, diffParameters, diffWeights, namesDiff } from './diff-graph.ts';
import { DIFF_SCHEMA, type DiffReport, type DiffSide, type WeightComparison } from './diff-report.ts';
import { diffSites } from './diff-sites.ts';
import { type InspectOptions, inspectGraph } from './inspect.ts';
import type { InspectReport } from './inspect-report.ts';

/** One model of a comparison. */
export interface DiffModel {
  readonly graph: Graph;
  readonly model: string;
  readonly notes?: readonly string[] | undefined;
}

/** What a comparison can be told besides the graphs. */
export interface DiffOptions extends Pick<InspectOptions, 'size' | 'notes'> {
  /** What reading the bytes of the weights told; without, only shapes and types are compared. */
  readonly weights?: WeightComparison | undefined;
}

/**
 * Compares two graphs: attentions, nodes, ops, inputs, parameters and weights.
 *
 * @throws SlothfulError `bad-input` for a size that one of them cannot have, `bad-model`, `bad-graph`
 */
export function diffGraphs(a: DiffModel, b: DiffModel, options: DiffOptions = {}): DiffReport {
  const left = inspectGraph(a.graph, { model: a.model, size: options.size });
  const right = inspectGraph(b.graph, { model: b.model, size: options.size ?? sizeOf(left) });
  const names = (list: InspectReport['inputs']) => list.map(({ name }) => name);
  return {
    schema: DIFF_SCHEMA,
    a: sideOf(left),
    b: sideOf(right),
    size: left.size,
    sites: diffSites(left.sites, right.sites),
    nodes: diffNodes(a.graph, b.graph),
    ops: diffOps(left.ops, right.ops),
    inputs: namesDiff(names(left.inputs), names(right.inputs)),
    outputs: namesDiff(names(left.outputs), names(right.outputs)),
    parameters: diffParameters(left.patch?.parameters ?? null, right.patch?.parameters ?? null),
    weights: diffWeights(a.graph, b.graph, options.weights),
    notes: [...(options.notes ?? []), ...sideNotes(a, left), ...sideNotes(b, right)],
  };
}

/** Models of other shapes than the first one's are looked at in their own size. */
function sizeOf({ size }: InspectReport): InspectOptions['size'] {
  const { rows, columns, batch, contextTokens } = size;
  return { rows, columns, batch, contextTokens };
}

function sideOf({ model, family, nodes, weights, totals, patch }: InspectReport): DiffSide {
  return {
    model,
    family: family.name,
    nodes,
    parameters: weights.parameters,
    storedBytes: weights.storedBytes,
    loadedBytes: weights.loadedBytes,
    flops: totals.flops,
    slothful: patch?.parameters ?? null,
  };
}

function sideNotes({ model, notes = [] }: DiffModel, { notes: own }: InspectReport): string[] {
  return [...notes, ...own].map((note) => `${model}: ${note}`);
}
