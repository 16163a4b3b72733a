import { type Endpoint, formatEndpoint } from '../../graph/index.ts';
import type { TokenForm } from '../site.ts';
import { type AxisLayout, applyStep, countDigits, type KnownLayout, sameDigits, wholeAxis } from './axis-layout.ts';
import { type Context, isProblem, type Problem, problem, rankOf } from './context.ts';
import type { ProjectionNode } from './projection.ts';
import { nearestCommon, onlyUse, outputOf, reshapeChain, type Step, stepOfUse } from './walk.ts';

/** What an attention reads. */
export interface Inputs {
  readonly kind: 'self' | 'cross';
  readonly hiddenStates: Endpoint;
  readonly hiddenForm: TokenForm;
  readonly context: Endpoint;
  readonly contextForm: TokenForm;
}

/** Finds the tensors that queries, keys and values are made of: one is a self-attention, two are a cross-attention. */
export function findInputs(
  context: Context,
  query: ProjectionNode,
  key: ProjectionNode,
  value: ProjectionNode,
): Inputs | Problem {
  const turned = [key, value].filter((each) => each.turned).length;
  if (query.turned || turned === 1)
    return problem(query.node.name, 'queries, keys or values are projected from a transposed tensor');
  const [queries, keys, values] = [query, key, value].map((each) =>
    each.turned ? [each.input] : reshapeChain(context, each.input),
  );
  if (!queries || !keys || !values) return problem(query.node.name, 'has no input');
  const shared = nearestCommon(context, queries, keys, values);
  if (shared) return withForms(context, 'self', shared, shared);
  const source = nearestCommon(context, keys, values);
  const alike = nearestCommon(context, queries, source ? keys : []) ?? nearestCommon(context, queries, values);
  if (source && !alike) {
    const inputs = withForms(context, 'cross', preferTokens(context, queries), source);
    return turned && !isProblem(inputs) ? { ...inputs, contextForm: 'channels-first' } : inputs;
  }
  return problem(value.node.name, mixture(context, queries, keys, values));
}

function mixture(context: Context, queries: Endpoint[], keys: Endpoint[], values: Endpoint[]): string {
  const names = [queries, keys, values].map((chain) => `"${chain[0] ? formatEndpoint(chain[0]) : '?'}"`);
  if (nearestCommon(context, queries, keys)) return `queries and keys are made of ${names[0]}, values of ${names[2]}`;
  if (nearestCommon(context, queries, values)) return `queries and values are made of ${names[0]}, keys of ${names[1]}`;
  return `queries, keys and values are made of three tensors: ${names.join(', ')}`;
}

/** [B, N, C] where the way back passes one: it also tells the batch. */
function preferTokens(context: Context, chain: readonly Endpoint[]): Endpoint {
  const tokens = chain.find((item) => rankOf(context, item) === 3);
  const [first = { node: '', output: 0 }] = chain;
  return tokens ?? first;
}

function withForms(
  context: Context,
  kind: 'self' | 'cross',
  hiddenStates: Endpoint,
  source: Endpoint,
): Inputs | Problem {
  const hiddenForm = formOfRank(rankOf(context, hiddenStates), 'grid');
  const contextForm = formOfRank(rankOf(context, source), 'grid');
  const unknown = hiddenForm ? source : hiddenStates;
  if (!hiddenForm || !contextForm) {
    const isKnown = rankOf(context, unknown) !== undefined;
    const reason = isKnown ? undefined : context.shapes.reason(unknown);
    if (reason)
      return problem(
        unknown.node,
        `not known without the weights: how the tokens of the hidden states lie, for ${reason}`,
      );
    return problem(unknown.node, 'the rank of the hidden states is not 2, 3 or 4');
  }
  return { kind, hiddenStates, hiddenForm, context: source, contextForm };
}

/** Where the heads are together again. */
export interface Merge {
  readonly output: Endpoint;
  readonly form: TokenForm;
  /** What the sum of the values passed until there. */
  readonly steps: readonly Step[];
  /** It is told by the ops alone: the values of constants that would prove it are not in the document. */
  readonly guessed?: boolean;
}

/** ProbedSizes that tell the forms apart. */
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
  if (!layout) return guessMerge(context, start, sizes.heads * sizes.headDim);
  const steps: Step[] = [];
  let apart: Merge | undefined;
  let current = { output: start, layout };
  while (true) {
    const form = formOfLayout(current.layout, sizes);
    const found = form && { output: current.output, form, steps: [...steps] };
    if (found && form !== 'heads' && form !== 'grid-heads') return found;
    apart = found ?? apart;
    const next = advance(context, current.output, current.layout);
    if (isProblem(next)) return apart ?? next;
    if (!next.layout) return apart ?? guessMerge(context, start, sizes.heads * sizes.headDim);
    steps.push(next.step);
    current = { output: outputOf(next.step.node), layout: next.layout };
  }
}

function advance(context: Context, from: Endpoint, layout: AxisLayout): { step: Step; layout: KnownLayout } | Problem {
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
  layout: AxisLayout,
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
  if (sizes.length === 5 && first === batch && sizes[3] === heads && sizes[4] === headDim) return 'grid-heads';
  if (sizes.at(-1) !== heads * headDim) return undefined;
  if (sizes.length === 2) return 'flat';
  if (first !== batch) return undefined;
  if (sizes.length === 3) return 'tokens';
  return sizes.length === 4 ? 'grid' : undefined;
}

/** Without layouts: the first reshape after the last transpose, or the end of the way. */
function guessMerge(context: Context, start: Endpoint, channels: number): Merge | Problem {
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
  return asMerge(context, end, kept, channels) ?? problem(end.node, noRank(context, end));
}

/** The result of the second product as it is, where it is told by the ops alone. */
export function unmerged(context: Context, start: Endpoint, channels: number): Merge | undefined {
  return asMerge(context, start, [], channels);
}

function asMerge(context: Context, output: Endpoint, steps: readonly Step[], channels: number): Merge | undefined {
  const dims = context.shapes.dims(output);
  const isWhole = dims?.at(-1) === channels;
  const form = dims?.length === 5 ? 'grid-heads' : formOfRank(dims?.length, isWhole ? 'grid' : 'heads');
  return form && { output, form, steps, guessed: true };
}

function noRank(context: Context, of: Endpoint): string {
  const reason = context.shapes.reason(of) ?? 'its rank is not known';
  return `not known without the weights: how the heads are merged, for ${reason}`;
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
