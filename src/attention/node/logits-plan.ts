import { backendOf, type Strategy } from '../../backends/index.ts';

export type { Strategy } from '../../backends/index.ts';

const FLOAT_BYTES = 4;

/** How one attention is cut so that a logits tensor stays under the limit. */
export interface LogitsPlan {
  readonly strategy: Strategy;
  /** Heads (of all batch items) in one logits tensor. */
  readonly headsAtOnce: number;
  /** Queries in one logits tensor. */
  readonly queriesAtOnce: number;
  /** Bytes of the largest logits tensor. */
  readonly logitsBytes: number;
}

/** What one attention is cut by. */
export interface LogitsShape {
  /** Heads times batch. */
  readonly heads: number;
  readonly queries: number;
  readonly keys: number;
}

/** Bytes that one logits tensor may have on a TF.js backend where nobody said otherwise. */
export function defaultLogitsLimit(backend: string): number {
  return backendOf(backend).logitsLimit;
}

/** The strategy for a TF.js backend. */
export function strategyOf(backend: string): Strategy {
  return backendOf(backend).strategy;
}

/**
 * Cuts one attention: all heads and all queries at once where the limit allows, else (batched) fewer heads, down to one,
 * else fewer queries too. One query of one head is the least, whatever the limit.
 *
 * @param limit bytes of one logits tensor
 */
export function cutLogits({ heads, queries, keys }: LogitsShape, strategy: Strategy, limit: number): LogitsPlan {
  const bytesPerQuery = keys * FLOAT_BYTES;
  const headsAtOnce = evenly(strategy === 'per-head' ? 1 : heads, limit / (bytesPerQuery * queries));
  const queriesAtOnce = evenly(queries, limit / (bytesPerQuery * headsAtOnce));
  return { strategy, headsAtOnce, queriesAtOnce, logitsBytes: bytesPerQuery * headsAtOnce * queriesAtOnce };
}

/** Parts of one size, at most `most`, so that the last is not a sliver. */
function evenly(size: number, most: number): number {
  const part = Math.max(1, Math.min(size, Math.floor(most)));
  return Math.ceil(size / Math.ceil(size / part));
}
