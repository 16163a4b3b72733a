import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-cpu';
import '@tensorflow/tfjs-backend-wasm';
import * as assert from 'uvu/assert';

export type TestBackend = 'cpu' | 'wasm';

/** The backends that are there after a plain install. */
export const TEST_BACKENDS: readonly TestBackend[] = ['cpu', 'wasm'];

/** Makes a backend the running one; fails where it cannot be. */
export async function useBackend(name: TestBackend): Promise<void> {
  const set = await tf.setBackend(name);
  assert.ok(set && tf.getBackend() === name, `backend ${name} does not start`);
  await tf.ready();
}
