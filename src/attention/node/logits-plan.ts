const MIB = 1024 * 1024;
const FLOAT_BYTES = 4;

/**
 * By TF.js backend. Wasm has 4 GiB in all and fails silently past them; a GPU buffer may be refused past 128 MiB. Native
 * on a CPU is fastest where logits are still in the cache when their softmax reads them: 8 heads of 4,096 x 4,096 take
 * 434 ms of CPU at 16 MiB and 583 all at once.
 */
const DEFAULT_LIMITS: Readonly<Record<string, number>> = { wasm: 64 * MIB, cpu: 512 * MIB, tensorflow: 16 * MIB };
const OTHER_LIMIT = 128 * MIB;

/** How attention is computed: one batched product over all heads, or a loop of 2-D products over heads. */
export type Strategy = 'batched' | 'per-head';

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
  return DEFAULT_LIMITS[backend] ?? OTHER_LIMIT;
}

/**
 * The strategy for a TF.js backend. On wasm XNNPACK serves plain 2-D products only and a batched product is a naive
 * loop: at 2 x 20 heads, 1,024 tokens, 64 wide, heads one by one take 0.8 s and batched 9.5 s. On cpu both take the same.
 */
export function strategyOf(backend: string): Strategy {
  return backend === 'wasm' ? 'per-head' : 'batched';
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
