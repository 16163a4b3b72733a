import { surveyGraph } from '../attention/index.ts';
import { isObject } from '../documents/index.ts';
import type { Graph } from '../graph/index.ts';
import { SLOTHFUL } from '../passes/index.ts';
import { diffNodes, diffOps, diffParameters, diffWeights, namesDiff } from './diff-graph.ts';
import {
  DIFF_REPORT,
  type DiffCounts,
  type DiffReport,
  type DiffSide,
  type DiffSite,
  type SiteChange,
  type WeightComparison,
} from './diff-report.ts';
import { type InspectOptions, inspectGraph } from './inspect.ts';
import type { InspectReport, ReportSite } from './inspect-report.ts';
import { siteWeights } from './site-cost.ts';

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
  const weights = diffWeights(a.graph, b.graph, options.weights);
  const others = new Set([...weights.different, ...weights.reshaped]);
  const sites = diffSites(left.sites, right.sites, otherWeights(a.graph, others));
  return {
    schema: DIFF_REPORT.properties.schema.const,
    a: sideOf(left),
    b: sideOf(right),
    size: left.size,
    counts: countChanges(sites),
    sites,
    nodes: diffNodes(a.graph, b.graph),
    ops: diffOps(left.ops, right.ops),
    inputs: namesDiff(names(left.inputs), names(right.inputs)),
    outputs: namesDiff(names(left.outputs), names(right.outputs)),
    parameters: diffParameters(parametersOf(left), parametersOf(right)),
    weights,
    notes: [...(options.notes ?? []), ...sideNotes(a, left), ...sideNotes(b, right)],
  };
}

/** Models of other shapes than the first one's are looked at in their own size. */
function sizeOf({ size }: InspectReport): InspectOptions['size'] {
  const { rows, columns, batch, context_tokens: contextTokens } = size;
  return {
    batch,
    ...(rows === null ? {} : { rows }),
    ...(columns === null ? {} : { columns }),
    ...(contextTokens === null ? {} : { contextTokens }),
  };
}

function sideOf({ model, family, nodes, weights, totals, patch, passes }: InspectReport): DiffSide {
  return {
    model,
    family: family.name,
    nodes,
    parameters: weights.parameters,
    stored_bytes: weights.stored_bytes,
    loaded_bytes: weights.loaded_bytes,
    flops: totals.flops,
    passes: passes.map(({ name }) => name),
    slothful: patch?.parameters ?? null,
  };
}

/** The parameters of all passes of a model; those of Slothful Attention by their own names. */
function parametersOf({ patch, passes }: InspectReport): object {
  const others = passes.filter(({ name }) => name !== SLOTHFUL.name && name !== 'attention');
  const named = others.flatMap(({ name, options }) => {
    return isObject(options) ? Object.entries(options).map(([key, value]) => [`${name}.${key}`, value] as const) : [];
  });
  return { ...patch?.parameters, ...Object.fromEntries(named) };
}

function sideNotes({ model, notes = [] }: DiffModel, { notes: own }: InspectReport): string[] {
  return [...notes, ...own].map((note) => `${model}: ${note}`);
}

const COMPARED = [
  ...(['block', 'level', 'channels', 'heads', 'head_dim', 'context_channels', 'tokens', 'kv_tokens'] as const),
];

/** Of every attention, how many of its weights are of other values or another type. */
function otherWeights(graph: Graph, others: ReadonlySet<string>): ReadonlyMap<string, number> {
  if (!others.size) return new Map();
  const count = (names: readonly string[]) => names.filter((name) => others.has(name)).length;
  return new Map(surveyGraph(graph).sites.map((site) => [site.id, count(siteWeights(site))]));
}

/**
 * Pairs the attentions of two models by their ids; those of `a` first, in its order.
 *
 * @param otherWeights how many weights of an attention are not the same, by its id
 */
export function diffSites(
  a: readonly ReportSite[],
  b: readonly ReportSite[],
  otherWeights: ReadonlyMap<string, number> = new Map(),
): DiffSite[] {
  const inA = new Set(a.map(({ id }) => id));
  const byId = new Map(b.map((site) => [site.id, site] as const));
  const paired = a.map((site) => compareSites(site, byId.get(site.id), otherWeights.get(site.id)));
  return [...paired, ...b.filter(({ id }) => !inA.has(id)).map((site) => compareSites(undefined, site))];
}

function compareSites(a: ReportSite | undefined, b: ReportSite | undefined, otherWeights = 0): DiffSite {
  const details =
    a && b ? COMPARED.filter((name) => a[name] !== b[name]).map((name) => `${name} ${a[name]} -> ${b[name]}`) : [];
  if (a?.patched && b?.patched && a.stages.join() !== b.stages.join()) {
    details.push(`stages ${a.stages.join(', ') || 'none'} -> ${b.stages.join(', ') || 'none'}`);
  }
  if (a && b && otherWeights) details.push(`weights: ${otherWeights} not the same`);
  const { id = '', kind = 'self', exporter_name = '' } = a ?? b ?? {};
  return { id, kind, exporter_name, change: changeOf(a, b, details), details, a: a ?? null, b: b ?? null };
}

function changeOf(a: ReportSite | undefined, b: ReportSite | undefined, details: readonly string[]): SiteChange {
  if (!a) return 'added';
  if (!b) return 'removed';
  if (details.length) return 'changed';
  if (a.patched === b.patched) return 'same';
  // A node on which no pass acts computes what the stock ops did.
  if (!a.stages.length && !b.stages.length) return 'same_result';
  return b.patched ? 'patched' : 'unpatched';
}

function countChanges(sites: readonly DiffSite[]): DiffCounts {
  const count = (wanted: SiteChange) => sites.filter(({ change }) => change === wanted).length;
  const [same, sameResult] = [count('same'), count('same_result')];
  return {
    attentions: sites.length,
    can_differ: sites.length - same - sameResult,
    same_result: sameResult,
    same,
  };
}
