import { surveyGraph } from '../attention/index.ts';
import { backendNameOf } from '../backends/index.ts';
import { SlothfulError } from '../errors.ts';
import type { Graph } from '../graph/index.ts';
import { DEFAULT_PARAMETERS } from '../passes/slothful/index.ts';
import { attentionFlops, type PlanBackend, type PlanReport, planGraph, siteWidths } from '../reports/index.ts';
import { chooseBackend, lackingKernels } from '../runtime/index.ts';
import type { RunSettings } from '../sampling/index.ts';
import type { OpenedDocument, OpenedModel } from './open-model.ts';
import type { ResolvedRun } from './resolve-run.ts';
import type { AttentionFlops, CallRecord, StepRecord } from './run-document.ts';
import { evaluatedBatch, evaluatedParts, scheduledSteps, stepsDone } from './settings.ts';
import { recordedCalls } from './step-record.ts';

/** A plan, and the settings of the run that it is of, as run.json has them. */
export type RunPlan = PlanReport & { readonly settings: RunSettings };

/** What a plan needs to know beside the run. */
export interface RunPlanOptions {
  /** Default wasm; `backendToRun` tells which would be chosen. */
  readonly backend?: PlanBackend['name'] | undefined;
  /** Most bytes of one logits tensor; default: the backend's. */
  readonly logitsLimit?: number | undefined;
}

/**
 * Foresees a run, without loading a weight: strides, K/V tokens, FLOPs and logits of every site and step, as they will
 * be. A plain model is planned as a patch would make it.
 *
 * @throws SlothfulError `unsupported` where the graph has no self-attention or its tokens cannot be told
 */
export function planRun(
  { graph, place, notes }: Pick<OpenedDocument, 'graph' | 'place' | 'notes'>,
  run: ResolvedRun,
  { backend, logitsLimit }: RunPlanOptions = {},
): RunPlan {
  const report = planOf(graph, run, {
    ...{ model: place, backend, logitsLimit },
    notes: [...notes, ...run.notes, ...assumptions(run)],
  });
  return { ...report, settings: run.settings };
}

/**
 * The backend on which a run would compute: the first of the platform's that works and has what the model needs. It is made TF.js's.
 *
 * @throws SlothfulError `backend` where none works
 */
export async function backendToRun({
  platform,
  graph,
}: Pick<OpenedModel, 'platform' | 'graph'>): Promise<PlanBackend['name']> {
  const { tfjsName } = await chooseBackend({}, platform.backends, lackingKernels(graph));
  return backendNameOf(tfjsName) ?? 'wasm';
}

function assumptions({ parameters, passes, contextTokens }: ResolvedRun): string[] {
  return [
    ...(parameters || Object.keys(passes).length
      ? []
      : ["the model is not patched: this is a plan with the node's default parameters"]),
    ...(contextTokens === undefined
      ? ['no text was given: one of the usual length is assumed (--cond, --prompt)']
      : []),
  ];
}

/** Strengths that ask for no reduction: Slothful Attention leaves everything as it is. */
const OFF = { ...DEFAULT_PARAMETERS, in_strength: 0, out_strength: 0 };

type PlanExtras = Pick<Parameters<typeof planGraph>[1], 'model' | 'backend' | 'logitsLimit' | 'notes'>;

/** The plan of a run that is resolved. */
function planOf(
  graph: Graph,
  { settings, contextTokens, parameters, passes }: Omit<ResolvedRun, 'notes'>,
  extras: PlanExtras = {},
): PlanReport {
  const { rows, columns } = settings;
  return planGraph(graph, {
    schedule: scheduledSteps(settings),
    // A plain model is planned as a patch would make it, but where other passes alone were asked for.
    parameters: parameters ?? (Object.keys(passes).length ? OFF : DEFAULT_PARAMETERS),
    passes,
    parts: evaluatedParts(settings, passes),
    size: { rows, columns, batch: evaluatedBatch(settings, passes), ...(contextTokens ? { contextTokens } : {}) },
    ...extras,
  });
}

/**
 * What the self-attentions of a run cost, by the keys and values that each had when it ran; of a plain run, both are the
 * same. Undefined where the graph has none that can be told: such a model runs all the same.
 *
 * @param graph the model's document, plain or patched
 */
export function attentionFlopsOf(
  graph: Graph,
  { settings, passes }: Pick<ResolvedRun, 'settings' | 'passes'>,
  steps: readonly StepRecord[],
): AttentionFlops | undefined {
  try {
    const calls = steps.flatMap(recordedCalls);
    return calls.some(({ sites }) => sites.length)
      ? executedFlops(graph, { plain: evaluatedBatch(settings, {}), patched: evaluatedBatch(settings, passes) }, calls)
      : plainFlops(graph, settings, calls.length);
  } catch (error) {
    if (error instanceof SlothfulError) return undefined;
    throw error;
  }
}

/** The same of a run and of those that went on from it. */
export function chainFlopsOf(graph: Graph, run: ResolvedRun, steps: readonly StepRecord[]): AttentionFlops | undefined {
  const firsts = firstSteps(run);
  const parts = [run, ...(run.next ?? [])].map((each, index) => {
    return attentionFlopsOf(graph, each, steps.slice(firsts[index], firsts[index + 1]));
  });
  if (parts.includes(undefined)) return undefined;
  const sum = (of: keyof AttentionFlops) => parts.reduce((total, part) => total + (part?.[of] ?? 0), 0);
  return { plain: sum('plain'), patched: sum('patched') };
}

/** Where the steps of each run of a chain begin in the list of all. */
export function firstSteps(run: ResolvedRun): number[] {
  let next = 0;
  return [run, ...(run.next ?? [])].map(({ settings }) => {
    const first = next;
    next += stepsDone(settings);
    return first;
  });
}

/** @param batch that the model evaluates at once: of a plain run, and of this one */
function executedFlops(graph: Graph, batch: AttentionFlops, calls: readonly CallRecord[]): AttentionFlops {
  const widths = new Map(surveyGraph(graph).sites.map((site) => [site.id, siteWidths(graph, site)] as const));
  const costOf = (id: string, queries: number, keys: number, samples: number) => {
    const found = widths.get(id);
    if (found) return attentionFlops(found, queries, keys, samples);
    throw new SlothfulError('unsupported', `site "${id}"`, 'is not to be found in the graph');
  };
  // Where passes leave out parts of the model, a call does not have every site; the first always does.
  const every = calls[0]?.sites ?? [];
  return {
    plain: calls.length * every.reduce((sum, { id, tokens }) => sum + costOf(id, tokens, tokens, batch.plain), 0),
    patched: calls
      .flatMap(({ sites }) => sites)
      .map(({ id, tokens, queries = tokens, kv_tokens, items = 1 }) => {
        return costOf(id, queries, kv_tokens, batch.patched * items);
      })
      .reduce((sum, flops) => sum + flops, 0),
  };
}

function plainFlops(graph: Graph, settings: RunSettings, done: number): AttentionFlops {
  const { steps } = planOf(graph, { settings, contextTokens: undefined, parameters: undefined, passes: {} });
  const plain = steps.slice(0, done).reduce((sum, step) => sum + step.self_flops.plain, 0);
  return { plain, patched: plain };
}
