import { existsSync } from 'node:fs';
import { copyFile, lstat, mkdir, readlink, rename, rm, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { SlothfulError } from '../../src/errors.ts';
import { TFJS_VERSION } from './npm-package.ts';
import { phase } from './phase.ts';
import { mustRun } from './run-program.ts';

/** Node-API version that tfjs-node's sources are written for; every Node since 12.22 has it. */
const NAPI_VERSION = 8;

/** Where the addon looks for the library, from its own folder: the package's `deps/lib`. */
const SEARCH_PATH = '$ORIGIN/../../deps/lib';

/** The built addon in the cache. It is for one library and any Node, and knows no path of the machine. */
export function cachedAddon(libraryFolder: string): string {
  return join(libraryFolder, `tfjs_binding-${TFJS_VERSION}-napi${NAPI_VERSION}.node`);
}

/** Compiles the package's addon against the library. The two sources need no build system. */
export async function buildAddon(
  tools: { readonly compiler: string; readonly headers: string },
  packageFolder: string,
  libraryFolder: string,
): Promise<void> {
  const built = `${cachedAddon(libraryFolder)}.${process.pid}`;
  const sources = ['tfjs_backend.cc', 'tfjs_binding.cc'].map((name) => join(packageFolder, 'binding', name));
  const args = ['-std=c++17', '-O3', '-fPIC', '-shared', `-DNAPI_VERSION=${NAPI_VERSION}`, `-I${tools.headers}`];
  args.push(`-I${join(libraryFolder, 'include')}`, ...sources, '-o', built, `-L${join(libraryFolder, 'lib')}`);
  args.push('-l:libtensorflow_cc.so.2', '-l:libtensorflow_framework.so.2', `-Wl,-rpath,${SEARCH_PATH}`);
  const cure = 'see that the compiler knows C++17, or name another in CXX';
  try {
    await phase('compiling the addon', () => mustRun(tools.compiler, args, { place: tools.compiler, cure }));
    await rename(built, cachedAddon(libraryFolder));
  } finally {
    await rm(built, { force: true });
  }
}

/** Puts the addon where the package loads it, and the library where the addon finds it. Returns the addon's path. */
export async function placeAddon(packageFolder: string, libraryFolder: string): Promise<string> {
  const addon = bindingPath(packageFolder);
  await linkLibrary(join(packageFolder, 'deps'), libraryFolder);
  await mkdir(dirname(addon), { recursive: true });
  const temporary = `${addon}.${process.pid}`;
  await copyFile(cachedAddon(libraryFolder), temporary);
  await rename(temporary, addon);
  return addon;
}

/** `deps` becomes a link to the cache; what npm's own installation left there goes. */
async function linkLibrary(deps: string, libraryFolder: string): Promise<void> {
  const found = await lstat(deps).catch(() => undefined);
  if (found?.isSymbolicLink() && (await readlink(deps)) === libraryFolder && existsSync(deps)) return;
  await rm(deps, { recursive: true, force: true });
  await symlink(libraryFolder, deps);
}

/** Where the package will look for its addon: it asks node-pre-gyp, and so does this. */
function bindingPath(packageFolder: string): string {
  const manifest = join(packageFolder, 'package.json');
  const preGyp: unknown = createRequire(manifest)('@mapbox/node-pre-gyp');
  const find: unknown = typeof preGyp === 'object' && preGyp !== null ? Reflect.get(preGyp, 'find') : undefined;
  const path: unknown = typeof find === 'function' ? find(manifest) : undefined;
  if (typeof path === 'string') return path;
  throw new SlothfulError('bug', packageFolder, 'node-pre-gyp does not say where the addon belongs');
}
