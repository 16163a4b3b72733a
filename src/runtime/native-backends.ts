import { createRequire } from 'node:module';
import * as tf from '@tensorflow/tfjs-core';
import { type BackendCandidate, WEB_BACKENDS } from './backend.ts';

/** The backends that Node has: TensorFlow's own library first, where one of its packages is installed. */
export const NODE_BACKENDS: readonly BackendCandidate[] = [
  nativeBackend('@tensorflow/tfjs-node-gpu'),
  nativeBackend('@tensorflow/tfjs-node'),
  ...WEB_BACKENDS.map(withoutListeners),
];

function nativeBackend(packageName: string): BackendCandidate {
  return {
    name: 'native',
    from: packageName,
    async load() {
      checkInstalled(packageName);
      // TensorFlow talks on stderr while it starts; warnings and errors are enough.
      process.env.TF_CPP_MIN_LOG_LEVEL ??= '1';
      await import(packageName);
      return 'tensorflow';
    },
  };
}

/** Optional packages are often absent, and Node's own message for that is long. */
function checkInstalled(packageName: string): void {
  try {
    createRequire(import.meta.url).resolve(packageName);
  } catch (error) {
    throw new Error('is not installed', { cause: error });
  }
}

/**
 * The wasm backend's loader listens for uncaught errors only to throw them again from its own file, whose one line of
 * 60 kB Node then prints. Without its listeners Node reports such errors as ever.
 */
function withoutListeners(candidate: BackendCandidate): BackendCandidate {
  return {
    ...candidate,
    async load() {
      const uncaught = process.listeners('uncaughtException');
      const rejected = process.listeners('unhandledRejection');
      const name = await candidate.load();
      await tf.setBackend(name);
      for (const listener of process.listeners('uncaughtException')) {
        if (!uncaught.includes(listener)) process.off('uncaughtException', listener);
      }
      for (const listener of process.listeners('unhandledRejection')) {
        if (!rejected.includes(listener)) process.off('unhandledRejection', listener);
      }
      return name;
    },
  };
}
