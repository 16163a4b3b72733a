import { existsSync } from 'node:fs';
import { copyFile, lstat, mkdir, readlink, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { SlothfulError } from '../errors.ts';
import { HUSH_ADDON } from '../runtime/native-package.ts';
import { HUSH_SOURCE } from './hush.ts';
import { TFJS_VERSION } from './npm-package.ts';
import { phase } from './phase.ts';
import { mustRun } from './run-program.ts';

/** Node-API version that tfjs-node's sources are written for; every Node since 12.22 has it. */
const NAPI_VERSION = 8;

/** Where the addon looks for the library, from its own folder: the package's `deps/lib`. */
const SEARCH_PATH = '$ORIGIN/../../deps/lib';

/** An addon in the cache. It is for one library and any Node, and knows no path of the machine. */
interface CachedAddons {
  /** The package's own. */
  readonly binding: string;
  /** What keeps TensorFlow's start-up lines off. */
  readonly hush: string;
}

function cachedAddons(libraryFolder: string): CachedAddons {
  const at = (name: string) => join(libraryFolder, `${name}-napi${NAPI_VERSION}.node`);
  return { binding: at(`tfjs_binding-${TFJS_VERSION}`), hush: at('slothful_hush-1') };
}

/** Whether the cache has both addons for this library. */
export function hasAddons(libraryFolder: string): boolean {
  return Object.values(cachedAddons(libraryFolder)).every((path) => existsSync(path));
}

export async function removeCachedAddons(libraryFolder: string): Promise<void> {
  for (const path of Object.values(cachedAddons(libraryFolder))) await rm(path, { force: true });
}

/** Compiles the package's addon against the library, and the small one beside it. They need no build system. */
export async function buildAddons(
  tools: { readonly compiler: string; readonly headers: string },
  packageFolder: string,
  libraryFolder: string,
): Promise<void> {
  const sources = ['tfjs_backend.cc', 'tfjs_binding.cc'].map((name) => join(packageFolder, 'binding', name));
  const library = [`-I${join(libraryFolder, 'include')}`, ...sources, `-L${join(libraryFolder, 'lib')}`];
  library.push('-l:libtensorflow_cc.so.2', '-l:libtensorflow_framework.so.2', `-Wl,-rpath,${SEARCH_PATH}`);
  const cached = cachedAddons(libraryFolder);
  const hushSource = `${cached.hush}.${process.pid}.cc`;
  try {
    await writeFile(hushSource, HUSH_SOURCE);
    await phase('compiling the addon', async () => {
      await compile(tools, library, cached.binding);
      await compile(tools, [hushSource], cached.hush);
    });
  } finally {
    await rm(hushSource, { force: true });
  }
}

async function compile(
  { compiler, headers }: { readonly compiler: string; readonly headers: string },
  args: readonly string[],
  path: string,
): Promise<void> {
  const temporary = `${path}.${process.pid}`;
  const options = ['-std=c++17', '-O3', '-fPIC', '-shared', `-DNAPI_VERSION=${NAPI_VERSION}`, `-I${headers}`];
  const cure = 'see that the compiler knows C++17, or name another in CXX';
  try {
    await mustRun(compiler, [...options, ...args, '-o', temporary], { place: compiler, cure });
    await rename(temporary, path);
  } finally {
    await rm(temporary, { force: true });
  }
}

/** Puts the addons where the package loads its own, and the library where that one finds it. */
export async function placeAddons(packageFolder: string, libraryFolder: string): Promise<void> {
  const binding = bindingPath(packageFolder);
  const cached = cachedAddons(libraryFolder);
  await linkLibrary(join(packageFolder, 'deps'), libraryFolder);
  await mkdir(dirname(binding), { recursive: true });
  await place(cached.hush, join(dirname(binding), HUSH_ADDON));
  await place(cached.binding, binding);
}

async function place(cached: string, path: string): Promise<void> {
  const temporary = `${path}.${process.pid}`;
  await copyFile(cached, temporary);
  await rename(temporary, path);
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
