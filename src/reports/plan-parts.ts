import type { SurveyedSite } from '../attention/index.ts';
import { type Graph, neededNodes, outputNodes } from '../graph/index.ts';
import { expectPass, type KeptTensor, type PassParameters, recordedResult } from '../passes/index.ts';
import { type GraphFlops, restFlops } from './flops.ts';
import { sum } from './weights.ts';

/** What of a model runs in one evaluation of a run. */
export interface RunningParts {
  /** Whether an attention is among it. */
  runs(site: { readonly id: string }): boolean;
  /** FLOPs of everything in it but the attentions. */
  readonly rest: number;
}

/** What the FLOPs of a whole evaluation are told from. */
export interface WholeModel {
  readonly graph: Graph;
  readonly flops: GraphFlops;
  readonly sites: readonly SurveyedSite[];
  /** FLOPs of an attention by its formula. */
  attention(site: SurveyedSite): number;
}

/**
 * Tells what runs at each evaluation of a run: all of the model, but where passes such as DeepCache take what they kept of an
 * earlier one.
 *
 * @returns what runs without passes, and what at an evaluation with them
 * @throws SlothfulError `bad-parameter` for parameters that the model cannot have
 */
export function partsOf(
  model: WholeModel,
  passes: PassParameters,
): { readonly whole: RunningParts; at(evaluation: number): RunningParts } {
  const { flops, sites, attention } = model;
  const whole: RunningParts = { runs: () => true, rest: restFlops(flops, sites, attention) };
  const known = new Map([['', whole]]);
  const keepers = keepersOf(model.graph, passes);
  const at = (evaluation: number) => {
    const reused = keepers.flatMap((keeps) => keeps(evaluation) ?? []).filter(({ reuse }) => reuse);
    const given = new Set(reused.map(({ node }) => node));
    const key = [...given].sort().join('\n');
    const parts = known.get(key) ?? partsWithout(model, given);
    known.set(key, parts);
    return parts;
  };
  return { whole, at };
}

function keepersOf(graph: Graph, passes: PassParameters): ((evaluation: number) => KeptTensor | undefined)[] {
  return Object.entries(passes).flatMap(([name, parameters]) => {
    const definition = expectPass(name, 'plan');
    const result = recordedResult(graph, name) ?? definition.foresee?.(graph);
    return definition.keeps && result ? [(index: number) => definition.keeps?.(index, parameters, result)] : [];
  });
}

function partsWithout({ graph, flops, sites, attention }: WholeModel, given: ReadonlySet<string>): RunningParts {
  const needed = neededNodes(graph, outputNodes(graph), given);
  const byNode = new Map([...flops.byNode].filter(([name]) => needed.has(name)));
  const stock = sum([...byNode.values()], (own) => own);
  const running = sites.filter(({ node }) => needed.has(node));
  const ids = new Set(running.map(({ id }) => id));
  return {
    runs: ({ id }) => ids.has(id),
    rest: restFlops({ ...flops, byNode, stock }, running, attention),
  };
}
