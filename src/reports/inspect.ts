import { type Survey, type SurveyedSite, surveyGraph } from '../attention/index.ts';
import { BACKEND_NAMES, backendsFor } from '../backends/index.ts';
import { type Graph, inferShapes, recordedPasses, type ShapeTable, wrongNorms } from '../graph/index.ts';
import { readSlothfulMetadata } from '../passes/index.ts';
import { type GraphFlops, graphFlops, isConvolution, restFlops } from './flops.ts';
import { INSPECT_REPORT, type InspectReport, type ReportShare, type ReportSite } from './inspect-report.ts';
import { guessFamily, inputsOf, outputsOf } from './model-facts.ts';
import { attentionFlops, logitsBytes, siteTokens, siteWeights, siteWidths } from './site-cost.ts';
import { type RunSize, reportSize, resolveSize } from './size.ts';
import { isParameter, parametersOf, sum, weightTotals } from './weights.ts';

/** What a report can be told besides the graph. */
export interface InspectOptions {
  /** The model's path or name, as the report shall call it. */
  readonly model?: string | undefined;
  /** Default: the model's own size, one sample, 77 tokens of text. */
  readonly size?: Partial<RunSize> | undefined;
  /** What the reader of the files could not read, in words. */
  readonly notes?: readonly string[] | undefined;
}

/**
 * Describes a graph: inputs, weights, every attention with its cost at a size, and every softmax that is not one.
 *
 * It needs the document only. Where that does not hold the values of small constants (a lone model.json of another
 * exporter), some numbers are null, with the reason.
 *
 * @throws SlothfulError `bad-input` for a size that the graph cannot have, `bad-model`, `bad-graph`
 */
export function inspectGraph(graph: Graph, options: InspectOptions = {}): InspectReport {
  const { model = 'model.json' } = options;
  const { size, inputShapes } = resolveSize(graph, options.size);
  const shapes = inferShapes(graph, inputShapes);
  const survey = surveyGraph(graph, model);
  const { top, deep } = survey;
  const patch = readSlothfulMetadata(graph.metadata, model);
  const sites = survey.sites.map((site) => describeSite(graph, site, shapes, size));
  const flops = graphFlops(graph, shapes);
  return {
    schema: INSPECT_REPORT.properties.schema.const,
    model,
    family: guessFamily(graph, survey.sites),
    generated_by: text(graph.extras.generatedBy),
    converted_by: text(graph.extras.convertedBy),
    size: reportSize(graph, size),
    inputs: inputsOf(graph),
    outputs: outputsOf(graph),
    nodes: graph.size,
    ops: countOps(graph),
    weights: weightTotals(graph),
    passes: recordedPasses(graph).map(({ name, version, options }) => ({ name, version, options: options ?? null })),
    patch: patch ? { control: patch.control, top: patch.top, deep: patch.deep, parameters: patch.parameters } : null,
    top: top ?? null,
    deep: deep ?? null,
    sites,
    rejections: survey.rejections.map(({ kind: _, ...rejection }) => rejection),
    totals: totalsOf(graph, survey, sites, flops),
    notes: [...(options.notes ?? []), ...flopNotes(flops), ...kernelNotes(graph), ...normNotes(graph)],
  };
}

function describeSite(graph: Graph, site: SurveyedSite, shapes: ShapeTable, size: RunSize): ReportSite {
  const { id, kind, exporterName, node, block, level, downscale, channels, contextChannels, patched } = site;
  const { grid, tokens, contextTokens, reason } = siteTokens(site, shapes, size.batch);
  const known = tokens !== undefined && contextTokens !== undefined;
  const flops = known ? attentionFlops(siteWidths(graph, site), tokens, contextTokens, size.batch) : null;
  const heads = site.heads ?? null;
  const logits = known && heads !== null ? logitsBytes(heads, tokens, contextTokens, size.batch) : null;
  return {
    ...{ id, kind, exporter_name: exporterName, node, block, level, downscale, channels, heads },
    ...{
      head_dim: site.headDim ?? null,
      context_channels: contextChannels,
      patched,
      stages: [...site.stages],
      grid: grid ? [...grid] : null,
    },
    ...{ tokens: tokens ?? null, kv_tokens: contextTokens ?? null },
    parameters: parametersOf(graph, siteWeights(site)),
    flops,
    logits_bytes: logits,
    unknown: site.unknown ?? reason ?? null,
  };
}

function totalsOf(
  graph: Graph,
  survey: Survey,
  sites: readonly ReportSite[],
  flops: GraphFlops,
): InspectReport['totals'] {
  const { parameters } = weightTotals(graph);
  const of = (list: readonly ReportSite[]) => sum(list, (site) => site.flops ?? 0);
  const bySite = new Map(survey.sites.map((site, index) => [site, sites[index]?.flops ?? 0] as const));
  const total = restFlops(flops, survey.sites, (site) => bySite.get(site) ?? 0) + of(sites);
  const unknown = flops.unknown.length;
  const share = (count: number, part: number): ReportShare => ({
    parameters: count,
    parameter_share: parameters ? count / parameters : 0,
    flops: part,
    flop_share: unknown || !total ? null : part / total,
  });
  const kind = (wanted: 'self' | 'cross') => {
    const weights = survey.sites.filter((site) => site.kind === wanted).flatMap(siteWeights);
    return share(parametersOf(graph, weights), of(sites.filter((site) => site.kind === wanted)));
  };
  return {
    self_sites: sites.filter((site) => site.kind === 'self').length,
    cross_sites: sites.filter((site) => site.kind === 'cross').length,
    parameters,
    flops: total,
    unknown_flops: unknown,
    self: kind('self'),
    cross: kind('cross'),
    convolutions: share(parametersOf(graph, convolutionWeights(graph)), flops.convolutions),
  };
}

function convolutionWeights(graph: Graph): string[] {
  const weights = [...graph.nodes]
    .filter(({ op }) => isConvolution(op))
    .flatMap(({ inputs }) => inputs.slice(1).map((input) => input.node));
  return weights.filter((name) => {
    const spec = graph.weight(name);
    return spec !== undefined && isParameter(graph, spec);
  });
}

function countOps(graph: Graph): Record<string, number> {
  const counts = new Map<string, number>();
  for (const { op } of graph.nodes) counts.set(op, (counts.get(op) ?? 0) + 1);
  return Object.fromEntries([...counts].sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1)));
}

function flopNotes({ unknown }: GraphFlops): string[] {
  const [first] = unknown;
  if (!first) return [];
  return [
    `the FLOPs of ${unknown.length} nodes are not known and not counted: "${first.node}" because ${first.reason}`,
  ];
}

/** Norms whose numbers are wrong in TF.js: the first, and how many. */
function normNotes(graph: Graph): string[] {
  const [first, ...others] = wrongNorms(graph);
  if (!first) return [];
  return [`"${first.node}" ${first.problem}${others.length ? ` (and ${others.length} more)` : ''}`];
}

/** Ops that not every backend can compute, each once. */
function kernelNotes(graph: Graph): string[] {
  return [...new Set([...graph.nodes].map(({ op }) => op))].flatMap((op) => {
    const able = backendsFor(op);
    if (able.length === BACKEND_NAMES.length) return [];
    return [`it runs only on backends that have ${op}: ${able.join(', ') || 'none'}`];
  });
}

function text(value: unknown): string | null {
  return typeof value === 'string' ? value : null;
}
