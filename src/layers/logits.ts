import * as tf from '@tensorflow/tfjs-core';
import { SlothfulError } from '../errors.ts';

const MIB = 1024 * 1024;
const FLOAT_BYTES = 4;
/** By backend. Wasm has 4 GiB in all and fails silently past them; a GPU buffer may be refused past 128 MiB. */
const DEFAULT_LIMITS: Readonly<Record<string, number>> = { wasm: 64 * MIB, cpu: 512 * MIB, tensorflow: 1024 * MIB };
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

let chosenLimit: number | undefined;

/**
 * Sets how many bytes one logits tensor may have; attentions with larger ones are computed for a slice of the queries
 * at a time, with the same result. The softmax of it takes as much again.
 *
 * @param bytes undefined: the backend's default (64 MiB wasm, 512 MiB cpu, 1 GiB native, 128 MiB others)
 * @throws SlothfulError `bad-input`
 */
export function setLogitsLimit(bytes: number | undefined): void {
  if (bytes !== undefined && !(bytes > 0)) {
    throw new SlothfulError('bad-input', 'logits limit', `must be a number of bytes above 0, got ${bytes}`);
  }
  chosenLimit = bytes;
}

/** The limit in force, in bytes. */
export function logitsLimit(): number {
  return chosenLimit ?? DEFAULT_LIMITS[tf.getBackend()] ?? OTHER_LIMIT;
}

/**
 * The strategy for the running backend. On wasm XNNPACK serves plain 2-D products only and a batched product is a naive
 * loop: at 2 x 20 heads, 1,024 tokens, 64 wide, heads one by one take 0.8 s and batched 9.5 s. On cpu both take the same.
 */
export function defaultStrategy(): Strategy {
  return tf.getBackend() === 'wasm' ? 'per-head' : 'batched';
}

/**
 * Cuts one attention: all heads and all queries at once where the limit allows, else fewer queries, else (batched) fewer
 * heads too. One query of one head is the least, whatever the limit.
 *
 * @param heads heads times batch
 */
export function planLogits(
  heads: number,
  queries: number,
  keys: number,
  strategy = defaultStrategy(),
  limit = logitsLimit(),
): LogitsPlan {
  const bytesPerQuery = keys * FLOAT_BYTES;
  const atMost = strategy === 'per-head' ? 1 : heads;
  const headsAtOnce = within(limit / bytesPerQuery, atMost);
  const most = within(limit / (bytesPerQuery * headsAtOnce), queries);
  // Slices of one size, so that the last is not a sliver.
  const queriesAtOnce = Math.ceil(queries / Math.ceil(queries / most));
  return { strategy, headsAtOnce, queriesAtOnce, logitsBytes: bytesPerQuery * headsAtOnce * queriesAtOnce };
}

function within(count: number, most: number): number {
  return Math.max(1, Math.min(most, Math.floor(count)));
}
