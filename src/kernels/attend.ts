import * as tf from '@tensorflow/tfjs-core';
import { SlothfulError } from '../errors.ts';
import { type LogitsPlan, planLogits } from './logits.ts';
import { valuesOf } from './token-forms.ts';

/** The operands of an attention: q [B, N, heads*d], k [B, M, heads*d], v [B, M, heads*e]. */
export interface Attention {
  readonly query: tf.Tensor3D;
  readonly key: tf.Tensor3D;
  readonly value: tf.Tensor3D;
  readonly heads: number;
  /** Factor of the logits. */
  readonly scale: number;
  /** What is added to the logits of every head, [N, M]. */
  readonly mask?: tf.Tensor2D | undefined;
}

/** How an attention is cut on the running backend and under the limit. */
export function planOf({ query, key, heads }: Attention): LogitsPlan {
  return planLogits(query.shape[0] * heads, query.shape[1], key.shape[1]);
}

/**
 * `softmax(scale q k^T + mask) v` by heads: [B, N, heads*e].
 *
 * @param plan how; default: what suits the running backend and the logits limit. The result is the same.
 * @throws SlothfulError `bad-model` where the shapes do not fit each other
 */
export function attend(attention: Attention, plan: LogitsPlan = planOf(attention)): tf.Tensor3D {
  check(attention);
  const way = plan.strategy === 'per-head' ? attendPerHead : attendBatched;
  return tf.tidy(() => {
    // The queries are scaled, not the logits: fewer values by keys / head width.
    const query = attention.scale === 1 ? attention.query : tf.mul(attention.query, attention.scale);
    return way({ ...attention, query: tf.reshape(query, attention.query.shape) }, plan);
  });
}

function attendBatched({ query, key, value, heads, mask }: Attention, plan: LogitsPlan): tf.Tensor3D {
  const [batch, tokens] = query.shape;
  const [q, k, v] = [splitHeads(query, heads), splitHeads(key, heads), splitHeads(value, heads)];
  const parts = ranges(batch * heads, plan.headsAtOnce).map((group) => {
    const keys = part(k, 0, group.start, group.length);
    const values = part(v, 0, group.start, group.length);
    const queries = part(q, 0, group.start, group.length);
    const slices = ranges(tokens, plan.queriesAtOnce).map(({ start, length }) =>
      tf.tidy(() => {
        const logits = tf.matMul(part(queries, 1, start, length), keys, false, true);
        return tf.matMul(tf.softmax(masked(logits, mask, start, length)), values);
      }),
    );
    return joined(slices, 1);
  });
  return mergeHeads(joined(parts, 0), batch, heads, tokens);
}

/**
 * Head by head, in 2-D products. The heads are cut out of typed arrays: wasm's Slice copies its whole input for every
 * head, which at 2 x 20 heads, 1,024 tokens, 64 wide made 3.1 s of what takes 0.8 s this way. A key head is transposed
 * beforehand, since a product that transposes is a naive loop too. Nothing is lost with few tokens: 4 heads of 4 tokens
 * take 0.2 ms, batched 0.1.
 */
function attendPerHead({ query, key, value, heads, mask }: Attention, plan: LogitsPlan): tf.Tensor3D {
  const [batch, tokens] = query.shape;
  const queries = rowsOf(splitHeads(query, heads));
  const keys = rowsOf(splitHeadsTransposed(key, heads));
  const values = rowsOf(splitHeads(value, heads));
  const parts = ranges(batch * heads, 1).flatMap(({ start: head }) =>
    tf.tidy(() => {
      const [k, v] = [keys(head), values(head)];
      return ranges(tokens, plan.queriesAtOnce).map(({ start, length }) =>
        tf.tidy(() => {
          const logits = tf.matMul(queries(head, start, length), k);
          return tf.matMul(tf.softmax(masked(logits, mask, start, length)), v);
        }),
      );
    }),
  );
  return mergeHeads(joined(parts, 0), batch, heads, tokens);
}

/** The logits of some queries with their rows of the mask. */
function masked<T extends tf.Tensor>(logits: T, mask: tf.Tensor2D | undefined, start: number, length: number): T {
  if (!mask) return logits;
  const rows = length === mask.shape[0] ? mask : tf.slice(mask, [start, 0], [length, -1]);
  return tf.add(logits, rows);
}

/** Gives rows of one head of [heads, rows, columns] as a tensor of its own. */
function rowsOf(split: tf.Tensor3D): (head: number, start?: number, length?: number) => tf.Tensor2D {
  const [, rows, columns] = split.shape;
  const data = valuesOf(split);
  return (head, start = 0, length = rows) => {
    const from = (head * rows + start) * columns;
    return tf.tensor2d(data.subarray(from, from + length * columns), [length, columns]);
  };
}

function part(tensor: tf.Tensor3D, axis: 0 | 1, start: number, length: number): tf.Tensor3D {
  if (length === tensor.shape[axis]) return tensor;
  const size = axis === 0 ? [length, -1, -1] : [-1, length, -1];
  return tf.slice(tensor, axis === 0 ? [start, 0, 0] : [0, start, 0], size);
}

function joined<T extends tf.Tensor>(parts: T[], axis: number): T {
  const [first, second] = parts;
  return first && !second ? first : tf.concat(parts, axis);
}

function check({ query, key, value, heads, mask }: Attention): void {
  const fits =
    (!mask || (mask.shape[0] === query.shape[1] && mask.shape[1] === key.shape[1])) &&
    query.shape[0] === key.shape[0] &&
    query.shape[2] === key.shape[2] &&
    key.shape[0] === value.shape[0] &&
    key.shape[1] === value.shape[1] &&
    query.shape[2] % heads === 0 &&
    value.shape[2] % heads === 0;
  if (fits) return;
  const shapes = `q [${query.shape}], k [${key.shape}], v [${value.shape}]${mask ? `, mask [${mask.shape}]` : ''}`;
  throw new SlothfulError('bad-model', 'attention', `${shapes} do not fit each other and ${heads} heads`);
}

/** [B, N, heads*d] to [B*heads, N, d]. */
function splitHeads(merged: tf.Tensor3D, heads: number): tf.Tensor3D {
  const [batch, tokens, channels] = merged.shape;
  const apart = tf.reshape(merged, [batch, tokens, heads, channels / heads]);
  return tf.reshape(tf.transpose(apart, [0, 2, 1, 3]), [batch * heads, tokens, channels / heads]);
}

/** [B, N, heads*d] to [B*heads, d, N], in one transposition. */
function splitHeadsTransposed(merged: tf.Tensor3D, heads: number): tf.Tensor3D {
  const [batch, tokens, channels] = merged.shape;
  const apart = tf.reshape(merged, [batch, tokens, heads, channels / heads]);
  return tf.reshape(tf.transpose(apart, [0, 2, 3, 1]), [batch * heads, channels / heads, tokens]);
}

/** The inverse of `splitHeads`, from any tensor that has its values in that order. */
function mergeHeads(split: tf.Tensor, batch: number, heads: number, tokens: number): tf.Tensor3D {
  const apart = tf.reshape(split, [batch, heads, tokens, -1]);
  return tf.reshape(tf.transpose(apart, [0, 2, 1, 3]), [batch, tokens, -1]);
}

/** The ranges that cut `size` into pieces of `step`. */
function ranges(size: number, step: number): { readonly start: number; readonly length: number }[] {
  return Array.from({ length: Math.ceil(size / step) }, (_, index) => {
    const start = index * step;
    return { start, length: Math.min(step, size - start) };
  });
}
