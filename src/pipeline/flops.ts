import type { Graph } from '../graph/index.ts';
import { DEFAULT_PARAMETERS, type SlothfulParameters } from '../passes/slothful/index.ts';
import { planGraph } from '../reports/index.ts';
import { makeScheduler } from '../sampling/index.ts';
import type { RunConditioning } from './conditioning.ts';
import type { AttentionFlops, RunSettings } from './run-document.ts';
import { evaluatedBatch } from './settings.ts';

/**
 * What the self-attentions of a run cost, without running it.
 *
 * @param parameters undefined: of a plain run, both are the same
 * @throws SlothfulError `unsupported` where the graph has no self-attention or its tokens cannot be told
 */
export function attentionFlopsOf(
  graph: Graph,
  settings: RunSettings,
  { cond }: RunConditioning,
  parameters: SlothfulParameters | undefined,
): AttentionFlops {
  const { rows, columns, steps, scheduler } = settings;
  const run = makeScheduler(scheduler, steps);
  const contextTokens = cond.encoder_hidden_states?.shape[1];
  const { self_flops } = planGraph(graph, {
    schedule: {
      name: scheduler.type,
      steps: run.timesteps.map((timestep, index) => ({ timestep, sigma: run.sigmas[index] ?? 0 })),
      notes: [],
    },
    parameters: parameters ?? { ...DEFAULT_PARAMETERS, in_strength: 0, out_strength: 0 },
    size: { rows, columns, batch: evaluatedBatch(settings), ...(contextTokens ? { contextTokens } : {}) },
  }).run;
  return self_flops;
}
