import { SlothfulError } from '../errors.ts';
import type { Graph } from '../graph/index.ts';
import { DEFAULT_PARAMETERS, type SlothfulParameters } from '../passes/slothful/index.ts';
import { type PlanBackend, type PlanReport, planGraph } from '../reports/index.ts';
import { chooseBackend } from '../runtime/index.ts';
import type { OpenedDocument, OpenedModel } from './open-model.ts';
import type { ResolvedRun } from './resolve-run.ts';
import { evaluatedBatch, type RunSettings, scheduledSteps } from './settings.ts';

/** Slothful Attention that leaves everything as it is. */
const NO_STRENGTH: SlothfulParameters = { ...DEFAULT_PARAMETERS, in_strength: 0, out_strength: 0 };

/** A plan, and the settings of the run that it is of, as run.json has them. */
export interface RunPlan extends PlanReport {
  readonly settings: RunSettings;
}

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
 * The backend on which a run would compute: the first of the platform's that works. It is made TF.js's.
 *
 * @throws SlothfulError `backend` where none works
 */
export async function backendToRun({ platform }: Pick<OpenedModel, 'platform'>): Promise<PlanBackend['name']> {
  const { tfjsName } = await chooseBackend({}, platform.backends);
  if (tfjsName === 'tensorflow') return 'native';
  return tfjsName === 'cpu' ? 'cpu' : 'wasm';
}

function assumptions({ parameters, contextTokens }: ResolvedRun): string[] {
  return [
    ...(parameters ? [] : ["the model is not patched: this is a plan with the node's default parameters"]),
    ...(contextTokens === undefined
      ? ['no text was given: one of the usual length is assumed (--cond, --prompt)']
      : []),
  ];
}

type PlanExtras = Pick<Parameters<typeof planGraph>[1], 'model' | 'backend' | 'logitsLimit' | 'notes'>;

/** The plan of a run that is resolved. */
function planOf(
  graph: Graph,
  { settings, contextTokens, parameters }: Omit<ResolvedRun, 'notes'>,
  extras: PlanExtras = {},
): PlanReport {
  const { rows, columns } = settings;
  return planGraph(graph, {
    schedule: scheduledSteps(settings),
    parameters: parameters ?? DEFAULT_PARAMETERS,
    size: { rows, columns, batch: evaluatedBatch(settings), ...(contextTokens ? { contextTokens } : {}) },
    ...extras,
  });
}

/** FLOPs of all self-attentions over a whole run, projections and all, two for each multiply-add. */
export interface AttentionFlops {
  readonly plain: number;
  readonly patched: number;
}

/**
 * What the self-attentions of a run cost, without running it; undefined where the graph has none that can be told: such a
 * model runs all the same.
 *
 * @param run its parameters undefined: of a plain run, both are the same
 */
export function attentionFlopsOf(graph: Graph, run: Omit<ResolvedRun, 'notes'>): AttentionFlops | undefined {
  try {
    return planOf(graph, { ...run, parameters: run.parameters ?? NO_STRENGTH }).run.selfFlops;
  } catch (error) {
    if (error instanceof SlothfulError) return undefined;
    throw error;
  }
}
