import { createRequire } from 'node:module';
import { constants } from 'node:os';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import util from 'node:util';
import { mendEnvironment } from './native-environment.ts';
import { reasonOf } from './native-failure.ts';

/** The addon that `setup-native` builds beside TensorFlow's: it keeps what a library prints while it loads. */
export const HUSH_ADDON = 'slothful_hush.node';

/** What the hush addon gives. */
interface Hush {
  /** From now on stderr, of native code too, goes to a file. */
  hush(): void;
  /** Ends that and returns what was printed. */
  release(): string;
}

/**
 * The one place that loads a native package: with the functions that it needs of Node's, with every symbol of its
 * library looked up at once, and without what TensorFlow prints while it starts. `TF_CPP_MIN_LOG_LEVEL=0` shows that.
 *
 * @param from URL of a module: the package is the one that this module would find
 * @param remark told what had to be changed for it
 * @throws Error whose message is the reason, on one line
 */
export async function loadNativePackage(
  packageName: string,
  from: string,
  remark?: (text: string) => void,
): Promise<void> {
  const main = resolvePackage(packageName, from);
  const mended = mendEnvironment();
  if (mended) remark?.(mended);
  supplyUtil();
  process.env.TF_CPP_MIN_LOG_LEVEL ??= '1';
  const opened: string[] = [];
  const restore = openQuietly(opened);
  try {
    await import(pathToFileURL(main).href);
  } catch (error) {
    throw new Error(reasonOf(error, opened), { cause: error });
  } finally {
    restore();
  }
}

/** Optional packages are often absent, and Node's own message for that is long. */
function resolvePackage(packageName: string, from: string): string {
  try {
    return createRequire(from).resolve(packageName);
  } catch (error) {
    throw new Error('is not installed', { cause: error });
  }
}

/**
 * tfjs-node 4.22 calls these two of Node's `util`: version 23 took the first one away, version 22 warns of both. Upstream
 * has mended that and not released it (tensorflow/tfjs, April 2025).
 */
function supplyUtil(): void {
  const supplied = {
    isNullOrUndefined: (value: unknown) => value === null || value === undefined,
    isArray: (value: unknown) => Array.isArray(value),
  };
  for (const [name, value] of Object.entries(supplied)) {
    Object.defineProperty(util, name, { value, configurable: true, enumerable: true, writable: true });
  }
}

/**
 * Has Node open addons with all their symbols, so that a missing one is an error and not the end of the process at the
 * first call. Returns what gives Node its own function back.
 */
function openQuietly(opened: string[]): () => void {
  const original = process.dlopen;
  process.dlopen = (module, filename) => {
    opened.push(filename);
    const open = () => original.call(process, module, filename, constants.dlopen.RTLD_NOW);
    quietly(findHush(original, filename), open);
  };
  return () => {
    process.dlopen = original;
  };
}

/** The addon is there where `setup-native` has been; the package's own library is silent enough without. */
function findHush(dlopen: typeof process.dlopen, filename: string): Hush | undefined {
  if (process.env.TF_CPP_MIN_LOG_LEVEL === '0') return undefined;
  const module: { exports: unknown } = { exports: {} };
  try {
    dlopen.call(process, module, join(dirname(filename), HUSH_ADDON));
  } catch {
    return undefined;
  }
  return isHush(module.exports) ? module.exports : undefined;
}

function isHush(value: unknown): value is Hush {
  const has = (name: string) => typeof value === 'object' && value && typeof Reflect.get(value, name) === 'function';
  return has('hush') === true && has('release') === true;
}

/** Opens a library; what it prints is shown where it cannot be opened, and else only its warnings. */
function quietly(hush: Hush | undefined, open: () => void): void {
  hush?.hush();
  try {
    open();
  } catch (error) {
    process.stderr.write(hush?.release() ?? '');
    throw error;
  }
  process.stderr.write(warningsIn(hush?.release() ?? ''));
}

/**
 * The warnings and errors in what TensorFlow printed while it started, as level 1 asks for: until it is up it prints
 * everything. That a part was registered before is no news: its GPU builds say so at every start.
 */
export function warningsIn(printed: string): string {
  const messages = printed.split(/^(?=[IWEF]\d{4} |WARNING: All log messages before)/m);
  const told = messages.filter((text) => /^[WEF]\d{4} /.test(text) && !/already (been )?registered/.test(text));
  return told.join('');
}
