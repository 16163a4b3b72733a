import {
  cutLogits,
  type Grid,
  type PatchedSite,
  type Survey,
  type SurveyedSite,
  surveyGraph,
} from '../attention/index.ts';
import { BACKENDS } from '../backends/index.ts';
import { SlothfulError } from '../errors.ts';
import { type Graph, inferShapes, type ShapeTable } from '../graph/index.ts';
import {
  type BatchPart,
  DEFAULT_PARAMETERS,
  type DepthRange,
  type PassParameters,
  passesInForce,
  readSlothfulMetadata,
  type SlothfulParameters,
} from '../passes/index.ts';
import { graphFlops } from './flops.ts';
import { idleSettings } from './idle-settings.ts';
import { guessFamily } from './model-facts.ts';
import { partsOf, type RunningParts } from './plan-parts.ts';
import {
  PLAN_REPORT,
  type PlanBackend,
  type PlanReport,
  type PlanSite,
  type PlanStep,
  type Schedule,
} from './plan-report.ts';
import { NOT_RUN, type PlannedSite, planStep, reasonText, type SiteStep } from './plan-step.ts';
import { runTotals, stepTotals } from './plan-totals.ts';
import { attentionFlops, logitsBytes, type SiteWidths, siteTokens, siteWidths } from './site-cost.ts';
import { type RunSize, reportSize, resolveSize } from './size.ts';
import { verdictOf } from './verdict.ts';

/** What a run is planned for. */
export interface PlanOptions {
  readonly schedule: Schedule;
  /** Default: those that a patched model records, or else the node's. */
  readonly parameters?: SlothfulParameters | undefined;
  /** The parts of which the batch of `size` is made, as guidance makes them. Default: all of it is what is asked for. */
  readonly parts?: readonly BatchPart[] | undefined;
  /** The other passes that act, with all their parameters. Default: those that the model has. */
  readonly passes?: PassParameters | undefined;
  readonly model?: string | undefined;
  readonly size?: Partial<RunSize> | undefined;
  /** Default wasm, which is always there. */
  readonly backend?: PlanBackend['name'] | undefined;
  /** Most bytes of one logits tensor; default: the backend's. */
  readonly logitsLimit?: number | undefined;
  readonly notes?: readonly string[] | undefined;
}

/**
 * Foresees a run: for every self-attention and step the stride, the keys and values, FLOPs and logits, plain against
 * patched, and why a site is left alone. Of a plain or a patched graph; nothing is run and no weights are read.
 *
 * @throws SlothfulError `unsupported` where the graph has no self-attention, or their tokens cannot be told;
 *   `bad-input` for a size that it cannot have
 */
export function planGraph(graph: Graph, options: PlanOptions): PlanReport {
  const { model = 'model.json', schedule } = options;
  const { size, inputShapes } = resolveSize(graph, options.size);
  const shapes = inferShapes(graph, inputShapes);
  const survey = surveyGraph(graph, model);
  const depth = depthOf(survey, model);
  const parameters =
    options.parameters ?? readSlothfulMetadata(graph.metadata, model)?.parameters ?? DEFAULT_PARAMETERS;
  const passes = options.passes ?? passesInForce(graph.metadata, {}, model);
  const latent = { height: size.rows, width: size.columns };
  const costs = { batch: size.batch, backend: backendOf(options) };
  const measured = survey.sites.map((site) => measureSite(graph, site, shapes, costs));
  const planned = measured.flatMap(({ planned: own }) => own ?? []);
  const batch = { parts: options.parts, steps: schedule.steps.length };
  const settings = { sites: planned, parameters, passes, depth, latent, ...batch };
  const byStep = schedule.steps.map((step, index) => planStep(settings, { ...step, index }));
  const flops = graphFlops(graph, shapes);
  const plainFlops = new Map(measured.map((each) => [each.site, plainCost(each).flops] as const));
  const attention = (site: SurveyedSite) => plainFlops.get(site) ?? 0;
  const running = partsOf({ graph, flops, sites: survey.sites, attention }, passes);
  const parts = schedule.steps.map((_, index) => running.at(index));
  const plainShare = plainShareOf(options.parts);
  const sites = measured.map((site) => planSite(site, byStep, { all: planned, parts, plainShare }));
  const plain = running.whole;
  const steps = schedule.steps.map((step, index) =>
    stepTotals(sites, { ...step, index }, { plain, parts: parts[index] ?? plain, plainShare }),
  );
  return {
    schema: PLAN_REPORT.properties.schema.const,
    model,
    family: guessFamily(graph, survey.sites),
    size: reportSize(graph, size),
    parameters,
    ...depth,
    schedule: schedule.name,
    passes,
    backend: costs.backend,
    sites,
    reasons: reasonsOf(sites),
    steps,
    run: runTotals(steps),
    idle: idleSettings(parameters, sites, depth),
    notes: [...(options.notes ?? []), ...schedule.notes, ...surveyNotes(survey, flops.unknown.length)],
  };
}

/** Of the batch what the model without passes would be asked: it perturbs nothing. */
function plainShareOf(parts: readonly BatchPart[] = ['cond']): number {
  return parts.filter((part) => part !== 'perturbed').length / parts.length;
}

function backendOf({ backend: name = 'wasm', logitsLimit }: PlanOptions): PlanBackend {
  const { strategy, logitsLimit: usual } = BACKENDS[name];
  return { name, strategy, logits_limit: logitsLimit ?? usual };
}

function depthOf({ top, deep, rejections }: Survey, place: string): DepthRange {
  if (top !== undefined && deep !== undefined) return { top, deep };
  const [first] = rejections;
  const why = first ? `"${first.softmax}" is none because ${first.reason}` : 'it has no softmax';
  throw new SlothfulError(
    'unsupported',
    place,
    `has no self-attention to plan for: ${why}`,
    'run "slothful inspect" on it',
  );
}

/** What costs are counted for. */
interface CostSettings {
  readonly batch: number;
  readonly backend: PlanBackend;
}

/** A site with its size, before any step. */
interface MeasuredSite {
  readonly site: SurveyedSite;
  readonly grid: Grid | undefined;
  readonly tokens: number;
  readonly contextTokens: number;
  readonly cost: SiteCost;
  /** Of a self-attention: what its steps are planned by. */
  readonly planned: PlannedSite | undefined;
}

function measureSite(graph: Graph, site: SurveyedSite, shapes: ShapeTable, settings: CostSettings): MeasuredSite {
  const { id, kind, heads } = site;
  const { grid, tokens, contextTokens, reason } = siteTokens(site, shapes, settings.batch);
  if (tokens === undefined || contextTokens === undefined || (kind === 'self' && !grid)) {
    const problem = `cannot be planned: ${reason ?? 'no tensor tells its grid'}`;
    throw new SlothfulError('unsupported', `site "${id}"`, problem);
  }
  const cost: SiteCost = { widths: siteWidths(graph, site), heads, keys: contextTokens, settings };
  const planned = kind === 'self' && grid ? { site: asPatched(site), grid } : undefined;
  return { site, grid, tokens, contextTokens, cost, planned };
}

/** A site as passes know it. */
function asPatched({
  kind,
  id,
  block,
  level,
  downscale,
  channels,
  node,
  exporterName,
  ...site
}: SurveyedSite): PatchedSite {
  const heads = site.heads ?? 1;
  const headDim = site.headDim ?? channels / heads;
  return { kind, id, block, level, downscale, heads, headDim, channels, node, scope: exporterName };
}

/** What all sites of a plan share. */
interface PlanOfRun {
  readonly all: readonly PlannedSite[];
  /** What runs at each step. */
  readonly parts: readonly RunningParts[];
  readonly plainShare: number;
}

/** @param byStep what every planned site does where it runs, a list for each step */
function planSite(
  measured: MeasuredSite,
  byStep: readonly (readonly SiteStep[])[],
  { all, parts, plainShare }: PlanOfRun,
): PlanSite {
  const { site, grid, tokens, contextTokens, cost, planned } = measured;
  const { id, kind, exporterName, block, level, downscale, channels, heads } = site;
  const place = planned ? all.indexOf(planned) : -1;
  const facts = byStep.flatMap((sites, step): SiteStep[] => {
    const fact = sites[place];
    return fact ? [parts[step]?.runs(site) === false ? { ...fact, reason: NOT_RUN } : fact] : [];
  });
  const steps = facts.map((fact) => stepOf(fact, cost));
  const plain = plainCost(measured);
  return {
    ...{ id, kind, exporter_name: exporterName, block, level, downscale, channels, heads: heads ?? null },
    ...{ head_dim: site.headDim ?? null, grid: grid ? [...grid] : null, tokens, kv_tokens: contextTokens },
    plain: {
      flops: plain.flops * plainShare,
      logits_bytes: plain.logits_bytes && plain.logits_bytes * plainShare,
    },
    steps,
    peak_logits_bytes: kind === 'self' ? highest(steps.map((step) => step.peak_logits_bytes)) : plain.peak_logits_bytes,
    verdict: kind === 'self' ? verdictOf(facts) : 'a cross-attention: its keys are the text and are never pooled',
  };
}

/** What the cost of a site depends on besides its tokens and keys. */
interface SiteCost {
  readonly widths: SiteWidths;
  readonly heads: number | undefined;
  /** Of the unpatched model. */
  readonly keys: number;
  readonly settings: CostSettings;
}

function stepOf({ tokens, kv_tokens, items, reason, ...facts }: SiteStep, cost: SiteCost): PlanStep {
  const reduction = cost.keys / kv_tokens;
  const costs = reason === NOT_RUN ? NOTHING : costOf(cost, tokens, kv_tokens, items);
  return { tokens, kv_tokens, ...(items === 1 ? {} : { items }), reason, ...facts, reduction, ...costs };
}

/** What a site that does not run costs. */
const NOTHING = { flops: 0, logits_bytes: 0, peak_logits_bytes: 0 };

function plainCost({ cost, tokens, contextTokens }: MeasuredSite) {
  return costOf(cost, tokens, contextTokens);
}

function costOf({ widths, heads, settings }: SiteCost, tokens: number, keys: number, items = 1) {
  const { backend } = settings;
  const batch = settings.batch * items;
  const flops = attentionFlops(widths, tokens, keys, batch);
  if (heads === undefined) return { flops, logits_bytes: null, peak_logits_bytes: null };
  const shape = { heads: Math.round(heads * batch), queries: tokens, keys };
  const peak = cutLogits(shape, backend.strategy, backend.logits_limit).logitsBytes;
  return { flops, logits_bytes: logitsBytes(heads, tokens, keys, batch), peak_logits_bytes: peak };
}

/** The reasons of all steps, in words. */
function reasonsOf(sites: readonly PlanSite[]): PlanReport['reasons'] {
  const reasons = new Set(sites.flatMap(({ steps }) => steps.flatMap(({ reason }) => reason ?? [])));
  return Object.fromEntries([...reasons].map((reason) => [reason, reasonText(reason)]));
}

function highest(values: readonly (number | null)[]): number | null {
  const known = values.filter((value) => value !== null);
  return known.length ? Math.max(...known) : null;
}

function surveyNotes({ rejections, sites }: Survey, unknownFlops: number): string[] {
  const notes: string[] = [];
  if (rejections.length)
    notes.push(`${rejections.length} softmaxes are not attentions that can be used; "slothful inspect" says why`);
  const unknown = sites.find((site) => site.unknown !== undefined);
  if (unknown) notes.push(`site "${unknown.id}" cannot be patched: ${unknown.unknown}`);
  if (unknownFlops) notes.push(`the FLOPs of ${unknownFlops} nodes are not known and not counted`);
  return notes;
}
