import * as tf from '@tensorflow/tfjs-core';
import { BACKENDS } from '../backends/index.ts';
import { type BackendCandidate, WEB_BACKENDS } from './backend.ts';
import { loadNativePackage } from './native-package.ts';

/** The packages that have TensorFlow's own library, in the order in which they are tried. */
const NATIVE_PACKAGES = ['@tensorflow/tfjs-node-gpu', '@tensorflow/tfjs-node'] as const;

/** The backends that Node has: TensorFlow's own library first, where one of its packages is installed. */
export const NODE_BACKENDS: readonly BackendCandidate[] = nodeBackends(import.meta.url);

/** The same, with the native packages that modules in `from` find. */
export function nodeBackends(from: string): BackendCandidate[] {
  const native = NATIVE_PACKAGES.map((name) => nativeBackend(name, from));
  return [...native, ...WEB_BACKENDS.map(withoutListeners)];
}

function nativeBackend(packageName: string, from: string): BackendCandidate {
  return {
    name: 'native',
    from: packageName,
    cure: cureFor(process.platform, import.meta.url),
    async load(remark) {
      await loadNativePackage(packageName, from, remark);
      return BACKENDS.native.tfjsName;
    },
  };
}

/** What gives a native backend to this machine. The script of package.json is in a checkout of the toolkit alone. */
export function cureFor(platform: NodeJS.Platform, moduleUrl: string): string {
  if (platform !== 'linux') return 'install @tensorflow/tfjs-node 4.22 and let npm run its install script';
  const isInstalled = moduleUrl.includes('/node_modules/');
  return `run "${isInstalled ? 'npx slothful setup-native' : 'npm run setup:native'}" for the native backend`;
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
