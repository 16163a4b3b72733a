import { isMainThread } from 'node:worker_threads';

/**
 * With it TensorFlow takes every weight for one that never changes, and keeps its own form of it by the place in memory. Run
 * eagerly, weights come and go: a convolution then silently returns what another layer's weights give.
 */
const FROZEN = 'TF_ONEDNN_ASSUME_FROZEN_WEIGHTS';

/**
 * Takes from the environment what makes TensorFlow compute wrongly, before its library reads it.
 *
 * @returns what was taken and why, in words; undefined where there was nothing
 * @throws Error in a worker thread: its environment is a copy, and the library reads the process's
 */
export function mendEnvironment(
  environment: NodeJS.ProcessEnv = process.env,
  owned = isMainThread,
): string | undefined {
  const value = environment[FROZEN];
  if (value === undefined) return undefined;
  const why = 'with it TensorFlow gives convolutions the results of other layers';
  if (!owned && value !== '0') throw new Error(`${FROZEN} is set, and ${why}: start the process without it`);
  delete environment[FROZEN];
  return value === '0' ? undefined : `${FROZEN} was unset: ${why}`;
}
