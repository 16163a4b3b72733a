import { defaultLogitsLimit, type Survey, type SurveyedSite, strategyOf, surveyGraph } from '../attention/index.ts';
import { SlothfulError } from '../errors.ts';
import { type Graph, inferShapes, type ShapeTable } from '../graph/index.ts';
import {
  DEFAULT_PARAMETERS,
  type DepthRange,
  readSlothfulMetadata,
  type SlothfulParameters,
} from '../passes/slothful/index.ts';
import { guessFamily } from './family.ts';
import { graphFlops, restFlops } from './graph-flops.ts';
import { idleSettings } from './idle-settings.ts';
import { PLAN_SCHEMA, type PlanBackend, type PlanReport, type PlanSite, type Schedule } from './plan-report.ts';
import { type PlanSettings, peakLogits, planStep } from './plan-step.ts';
import { runTotals, stepTotals } from './plan-totals.ts';
import { attentionFlops, logitsBytes, siteWidths } from './site-cost.ts';
import { pixelScale, type RunSize, resolveSize } from './size.ts';
import { siteTokens } from './tokens.ts';
import { verdictOf } from './verdict.ts';

/** What a run is planned for. */
export interface PlanOptions {
  readonly schedule: Schedule;
  /** Default: those that a patched model records, or else the node's. */
  readonly parameters?: SlothfulParameters | undefined;
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
  const settings = { parameters, depth, batch: size.batch, backend: backendOf(options) };
  const sites = survey.sites.map((site) => planSite(graph, site, shapes, settings, schedule));
  const flops = graphFlops(graph, shapes);
  const plainFlops = new Map(survey.sites.map((site, index) => [site, sites[index]?.plain.flops ?? 0] as const));
  const rest = restFlops(flops, survey.sites, (site) => plainFlops.get(site) ?? 0);
  const steps = schedule.steps.map((step, index) => stepTotals(sites, step, index, rest));
  const scale = pixelScale(graph);
  return {
    schema: PLAN_SCHEMA,
    model,
    family: guessFamily(graph, survey.sites),
    size: { ...size, pixels: { width: size.columns * scale, height: size.rows * scale } },
    parameters,
    ...depth,
    schedule: schedule.name,
    backend: settings.backend,
    sites,
    steps,
    run: runTotals(steps),
    idle: idleSettings(parameters, sites, depth),
    notes: [...(options.notes ?? []), ...schedule.notes, ...surveyNotes(survey, flops.unknown.length)],
  };
}

function backendOf({ backend: name = 'wasm', logitsLimit }: PlanOptions): PlanBackend {
  const tfjsName = name === 'native' ? 'tensorflow' : name;
  return { name, strategy: strategyOf(tfjsName), logitsLimit: logitsLimit ?? defaultLogitsLimit(tfjsName) };
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

function planSite(
  graph: Graph,
  site: SurveyedSite,
  shapes: ShapeTable,
  settings: PlanSettings,
  schedule: Schedule,
): PlanSite {
  const { id, kind, exporterName, block, level, downscale, channels, heads } = site;
  const { grid, tokens, contextTokens, reason } = siteTokens(site, shapes, settings.batch);
  if (tokens === undefined || contextTokens === undefined || (kind === 'self' && !grid)) {
    throw new SlothfulError(
      'unsupported',
      `site "${id}"`,
      `cannot be planned: ${reason ?? 'no tensor tells its grid'}`,
    );
  }
  const { batch, backend } = settings;
  const widths = siteWidths(graph, site);
  const planned = { site, widths, grid: grid ?? ([tokens, 1] as const) };
  const steps = kind === 'self' ? schedule.steps.map(({ sigma }) => planStep(planned, settings, sigma)) : [];
  const logits = heads === undefined ? null : logitsBytes(heads, tokens, contextTokens, batch);
  const own = heads === undefined ? null : peakLogits(backend, heads * batch, tokens, contextTokens);
  return {
    ...{ id, kind, exporterName, block, level, downscale, channels, heads: heads ?? null },
    ...{ headDim: site.headDim ?? null, grid: grid ?? null, tokens, kvTokens: contextTokens },
    plain: { flops: attentionFlops(widths, tokens, contextTokens, batch), logitsBytes: logits },
    steps,
    peakLogitsBytes: kind === 'self' ? highest(steps.map((step) => step.peakLogitsBytes)) : own,
    verdict: kind === 'self' ? verdictOf(steps) : 'a cross-attention: its keys are the text and are never pooled',
  };
}

function highest(values: readonly (number | null)[]): number | null {
  const known = values.filter((value) => value !== null);
  return known.length ? Math.max(...known) : null;
}

function surveyNotes({ rejections, sites }: Survey, unknownFlops: number): string[] {
  const notes: string[] = [];
  if (rejections.length)
    notes.push(`${rejections.length} softmaxes are no attention of use; "slothful inspect" says why`);
  const unknown = sites.find((site) => site.unknown !== undefined);
  if (unknown) notes.push(`site "${unknown.id}" cannot be patched: ${unknown.unknown}`);
  if (unknownFlops) notes.push(`the FLOPs of ${unknownFlops} nodes are not known and not counted`);
  return notes;
}
