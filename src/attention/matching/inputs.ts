import { type Endpoint, formatEndpoint } from '../../graph/index.ts';
import type { TokenForm } from '../site.ts';
import type { Context } from './context.ts';
import { formOfRank } from './merge.ts';
import { type Problem, problem } from './problem.ts';
import type { Projected } from './projection.ts';
import { rankOf } from './trace-layout.ts';
import { nearestCommon, reshapeChain } from './walk.ts';

/** What an attention reads. */
export interface Inputs {
  readonly kind: 'self' | 'cross';
  readonly hiddenStates: Endpoint;
  readonly hiddenForm: TokenForm;
  readonly context: Endpoint;
  readonly contextForm: TokenForm;
}

/** Finds the tensors that queries, keys and values are made of: one is a self-attention, two are a cross-attention. */
export function findInputs(context: Context, query: Projected, key: Projected, value: Projected): Inputs | Problem {
  const [queries, keys, values] = [query, key, value].map(({ input }) => reshapeChain(context, input));
  if (!queries || !keys || !values) return problem(query.node.name, 'has no input');
  const shared = nearestCommon(queries, keys, values);
  if (shared) return withForms(context, 'self', shared, shared);
  const source = nearestCommon(keys, values);
  const alike = nearestCommon(queries, source ? keys : []) ?? nearestCommon(queries, values);
  if (source && !alike) return withForms(context, 'cross', preferTokens(context, queries), source);
  return problem(value.node.name, mixture(queries, keys, values));
}

function mixture(queries: Endpoint[], keys: Endpoint[], values: Endpoint[]): string {
  const names = [queries, keys, values].map((chain) => `"${chain[0] ? formatEndpoint(chain[0]) : '?'}"`);
  if (nearestCommon(queries, keys)) return `queries and keys are made of ${names[0]}, values of ${names[2]}`;
  if (nearestCommon(queries, values)) return `queries and values are made of ${names[0]}, keys of ${names[1]}`;
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
  if (!hiddenForm || !contextForm) return problem(unknown.node, 'the rank of the hidden states is not 2, 3 or 4');
  return { kind, hiddenStates, hiddenForm, context: source, contextForm };
}
