import * as tf from '@tensorflow/tfjs-core';
import { cutLogits, defaultLogitsLimit, type LogitsPlan, type Strategy, strategyOf } from '../attention/index.ts';
import { BACKENDS } from '../backends/index.ts';
import { SlothfulError } from '../errors.ts';

export type { LogitsPlan, Strategy } from '../attention/index.ts';

const GPU_LIMIT = 1024 * 1024 * 1024;

let chosenLimit: number | undefined;

/**
 * Sets how many bytes one logits tensor may have; attentions with larger ones are computed for a few heads, and
 * then a slice of the queries, at a time, with the same result. The softmax of it takes as much again.
 *
 * @param bytes undefined: the backend's default (64 MiB wasm, 512 MiB cpu, 16 MiB native and 1 GiB on a GPU,
 *   128 MiB others)
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
  return chosenLimit ?? (isNativeGpu() ? GPU_LIMIT : defaultLogitsLimit(tf.getBackend()));
}

/** The native backend has one name for both of its devices; a GPU wants few and large products. */
function isNativeGpu(): boolean {
  if (tf.getBackend() !== BACKENDS.native.tfjsName) return false;
  const backend: unknown = tf.backend();
  return typeof backend === 'object' && backend !== null && Reflect.get(backend, 'isUsingGpuDevice') === true;
}

/** The strategy for the running backend. */
export function defaultStrategy(): Strategy {
  return strategyOf(tf.getBackend());
}

/**
 * Cuts one attention for the running backend, under the limit in force; see `cutLogits`.
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
  return cutLogits({ heads, queries, keys }, strategy, limit);
}
