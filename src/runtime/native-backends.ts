import { createRequire } from 'node:module';
import { SlothfulError } from '../errors.ts';
import type { BackendCandidate } from './backend.ts';
import { WEB_BACKENDS } from './backend.ts';

/** The backends that Node has: TensorFlow's own library first, where one of its packages is installed. */
export const NODE_BACKENDS: readonly BackendCandidate[] = [
  nativeBackend('@tensorflow/tfjs-node-gpu'),
  nativeBackend('@tensorflow/tfjs-node'),
  ...WEB_BACKENDS,
];

function nativeBackend(packageName: string): BackendCandidate {
  return {
    name: 'native',
    from: packageName,
    async load() {
      const require = createRequire(import.meta.url);
      checkInstalled(packageName, require);
      // TensorFlow talks on stderr while it starts; warnings and errors are enough.
      process.env.TF_CPP_MIN_LOG_LEVEL ??= '1';
      await import(packageName);
      return 'tensorflow';
    },
  };
}

/** Optional packages are often absent, and Node's own message for that is long. */
function checkInstalled(packageName: string, require: NodeJS.Require): void {
  try {
    require.resolve(packageName);
  } catch (error) {
    throw new SlothfulError('backend', packageName, 'is not installed', undefined, { cause: error });
  }
}
