import type { SurveyedSite } from '../attention/index.ts';
import { type Graph, neededNodes, outputNodes, recordedPasses } from '../graph/index.ts';
import { expectPass, type KeptTensor, type PassParameters } from '../passes/index.ts';
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
 * @throws SlothfulError `bad-parameter` for parameters that the model cannot have
 */
export function partsAt(model: WholeModel, passes: PassParameters): (evaluation: number) => RunningParts {
  const known = new Map<string, RunningParts>();
  const keepers = keepersOf(model.graph, passes);
  return (evaluation) => {
    const reused = keepers.flatMap((keeps) => keeps(evaluation) ?? []).filter(({ reuse }) => reuse);
    const given = new Set(reused.map(({ node }) => node));
    const key = [...given].sort().join('\n');
    const parts = known.get(key) ?? partsWithout(model, given);
    known.set(key, parts);
    return parts;
  };
}

function keepersOf(graph: Graph, passes: PassParameters): ((evaluation: number) => KeptTensor | undefined)[] {
  return Object.entries(passes).flatMap(([name, parameters]) => {
    const definition = expectPass(name, 'plan');
    const recorded = recordedPasses(graph).find((pass) => pass.name === name)?.result;
    const result = recorded ?? definition.foresee?.(graph);
    return definition.keeps && result ? [(index: number) => definition.keeps?.(index, parameters, result)] : [];
  });
}

/** All of a model. */
export function wholeModel({ flops, sites, attention }: WholeModel): RunningParts {
  return { runs: () => true, rest: restFlops(flops, sites, attention) };
}

function partsWithout(model: WholeModel, given: ReadonlySet<string>): RunningParts {
  if (!given.size) return wholeModel(model);
  const { graph, flops, sites, attention } = model;
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
