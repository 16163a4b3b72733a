import type { Endpoint } from '../../graph/index.ts';
import type { TokenForm } from '../site.ts';
import { countDigits, type Layout, sameDigits, wholeAxis } from './axes.ts';
import type { Context } from './context.ts';
import { isProblem, type Problem, problem } from './problem.ts';
import type { Step } from './step.ts';
import { applyStep, type KnownLayout, rankOf } from './trace-layout.ts';
import { onlyUse, outputOf, stepOfUse } from './walk.ts';

/** Where the heads are together again. */
export interface Merge {
  readonly output: Endpoint;
  readonly form: TokenForm;
  /** What the sum of the values passed until there. */
  readonly steps: readonly Step[];
}

/** Sizes that tell the forms apart. */
export interface MergeSizes {
  readonly batch: number;
  readonly queryTokens: number;
  readonly heads: number;
  readonly headDim: number;
}

/**
 * Walks forward from the sum of the values to the first tensor with tokens in order and channels whole at the end; or,
 * where the output projection takes the heads apart, to that form.
 */
export function findMerge(context: Context, start: Endpoint, layout: KnownLayout, sizes: MergeSizes): Merge | Problem {
  if (!layout) return guessMerge(context, start);
  const steps: Step[] = [];
  let apart: Merge | undefined;
  let current = { output: start, layout };
  while (true) {
    const form = formOfLayout(current.layout, sizes);
    const found = form && { output: current.output, form, steps: [...steps] };
    if (found && form !== 'heads') return found;
    apart = found ?? apart;
    const next = advance(context, current.output, current.layout);
    if (isProblem(next)) return apart ?? next;
    if (!next.layout) return apart ?? guessMerge(context, start);
    steps.push(next.step);
    current = { output: outputOf(next.step.node), layout: next.layout };
  }
}

function advance(context: Context, from: Endpoint, layout: Layout): { step: Step; layout: KnownLayout } | Problem {
  const use = onlyUse(context, from, 'the weighted values');
  if (isProblem(use)) return use;
  const step = stepOfUse(context, use);
  if (!step || step.kind === 'scale' || step.kind === 'bias') {
    return problem(use.node.name, `the heads go into a ${use.node.op} before they are merged`);
  }
  const next = applyStep(context, layout, step);
  return isProblem(next) ? next : { step, layout: next };
}

/** The form of a tensor of merged heads; undefined where tokens or channels are not in order, or not apart. */
export function formOfLayout(
  layout: Layout,
  { batch, queryTokens, heads, headDim }: MergeSizes,
): TokenForm | undefined {
  const tokens = wholeAxis('query.token', batch * queryTokens);
  const channels = wholeAxis('value.channel', heads * headDim);
  const isOrdered = sameDigits(layout.flat(), [...tokens, ...channels]);
  const sizes = layout.map(countDigits);
  const [first, second, third, last] = sizes;
  if (!isOrdered) return undefined;
  if (sizes.length === 4 && first === batch && second === queryTokens && third === heads && last === headDim) {
    return 'heads';
  }
  if (sizes.at(-1) !== heads * headDim) return undefined;
  if (sizes.length === 2) return 'flat';
  if (first !== batch) return undefined;
  if (sizes.length === 3) return 'tokens';
  return sizes.length === 4 ? 'grid' : undefined;
}

/** Without layouts: the first reshape after the last transpose, or the end of the way. */
function guessMerge(context: Context, start: Endpoint): Merge | Problem {
  const steps: Step[] = [];
  let output = start;
  for (let step = passive(context, output); step; step = passive(context, output)) {
    steps.push(step);
    output = outputOf(step.node);
  }
  const turned = steps.findLastIndex(({ kind }) => kind === 'transpose');
  const merged = steps.findIndex(({ kind }, index) => index > turned && kind === 'reshape');
  const kept = merged < 0 ? steps : steps.slice(0, merged + 1);
  const last = kept.at(-1);
  const end = last ? outputOf(last.node) : start;
  const form = formOfRank(rankOf(context, end), 'heads');
  return form ? { output: end, form, steps: kept } : problem(end.node, 'the rank of the merged heads is not known');
}

function passive(context: Context, from: Endpoint): Step | undefined {
  const use = onlyUse(context, from, 'the weighted values');
  const step = isProblem(use) ? undefined : stepOfUse(context, use);
  return step?.kind === 'scale' || step?.kind === 'bias' ? undefined : step;
}

/** The form that a tensor of a rank has; `four` for rank 4, which may be a grid or heads apart. */
export function formOfRank(rank: number | undefined, four: 'grid' | 'heads'): TokenForm | undefined {
  const forms: Readonly<Record<number, TokenForm>> = { 2: 'flat', 3: 'tokens', 4: four };
  return rank === undefined ? undefined : forms[rank];
}
