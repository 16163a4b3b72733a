import { rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { messageOf, SlothfulError } from '../errors.ts';
import { buildAddons, hasAddons, placeAddons, removeCachedAddons } from './addon.ts';
import { type Checked, FailedCheck, runCheck } from './check-result.ts';
import { type CudaPlan, cudaFacts, fetchCuda, hasCuda, planCuda } from './cuda.ts';
import { fetchLibrary, hasLibrary, libraryFolder } from './library.ts';
import { installPackage, removePackage } from './npm-package.ts';
import { type Found, findCompiler, findHeaders, findPython } from './tools.ts';
import { thisMachine, type WheelTarget, wheelTarget } from './wheel-target.ts';

/** The TensorFlow release that the addon has been tried with. */
export const TENSORFLOW_VERSION = '2.21.0';

export interface SetupOptions {
  /** Take the TensorFlow that computes on NVIDIA GPUs. */
  readonly gpu: boolean;
  /** Where the CUDA libraries come from; `auto`: the system's where they are complete, else pip's. */
  readonly cuda: 'auto' | 'pip' | 'system';
  /** Release of TensorFlow. */
  readonly tensorflow: string;
  /** Folder with Node's headers, as node-gyp takes it: `include/node/node_api.h` below it. */
  readonly nodedir: string | undefined;
}

/** The tools that the work at hand takes; those that it does not take are empty. */
interface Tools {
  readonly python: string;
  readonly compiler: string;
  readonly headers: string;
}

/** The tools that are missing, each with its cure. */
export class MissingTools extends Error {
  override readonly name = 'MissingTools';

  constructor(readonly missing: readonly SlothfulError[]) {
    super(missing.map(({ message }) => message).join('\n'));
  }
}

/** Where what was downloaded and built is kept. */
export function cacheFolder(env: NodeJS.ProcessEnv): string {
  return join(env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'slothful-attention', 'native');
}

/** What is set up, and from where. */
interface Setup {
  /** Folder of the package.json that tfjs-node-gpu is installed for. */
  readonly root: string;
  /** Folder of the library in the cache. */
  readonly folder: string;
  readonly target: WheelTarget;
  readonly wantsCuda: boolean;
  readonly options: SetupOptions;
}

/**
 * Puts the native backend to work for the project in `root`. What is there already is not made again, unless the backend
 * does not work with it: then the package and its addon are made anew, and after that the library too.
 *
 * @param root folder of the package.json that tfjs-node-gpu is installed for
 * @param say told what was decided, a line each
 * @throws SlothfulError, MissingTools
 */
export async function setupNative(root: string, options: SetupOptions, say: (line: string) => void): Promise<Checked> {
  const target = wheelTarget(thisMachine(), options.gpu);
  const folder = libraryFolder(cacheFolder(process.env), target, options.tensorflow);
  say(`cache: ${folder}`);
  const cuda = options.gpu ? await decideCuda(options.cuda, folder) : undefined;
  if (cuda) say(`CUDA libraries: ${cuda.from}; ${cuda.reason}`);
  const setup = { root, folder, target, wantsCuda: cuda?.from === 'pip', options };
  const hadLibrary = hasLibrary(folder);
  const removals = [removeAddons, ...(hadLibrary ? [removeLibrary] : [])];
  for (const remove of removals) {
    try {
      return await provide(setup);
    } catch (error) {
      if (!(error instanceof FailedCheck)) throw error;
      say(`${messageOf(error)}; making it anew`);
      await remove(setup);
    }
  }
  return provide(setup);
}

async function removeAddons({ root, folder }: Setup): Promise<void> {
  await removePackage(root);
  await removeCachedAddons(folder);
}

async function removeLibrary({ folder }: Setup): Promise<void> {
  await rm(folder, { recursive: true, force: true });
}

async function provide({ root, folder, target, wantsCuda, options }: Setup): Promise<Checked> {
  const fetchesCuda = wantsCuda && !hasCuda(folder);
  const tools = await findTools(folder, fetchesCuda, options.nodedir);
  const packageFolder = await installPackage(root);
  await fetchMissing(tools, folder, target, options.tensorflow, fetchesCuda);
  if (!hasAddons(folder)) await buildAddons(tools, packageFolder, folder);
  await placeAddons(packageFolder, folder);
  return runCheck(root);
}

async function decideCuda(asked: SetupOptions['cuda'], folder: string): Promise<CudaPlan> {
  if (hasCuda(folder)) return { from: 'pip', reason: 'they are in the cache' };
  return planCuda(asked, await cudaFacts());
}

async function fetchMissing(
  { python }: Tools,
  folder: string,
  target: WheelTarget,
  version: string,
  wantsCuda: boolean,
): Promise<void> {
  if (!hasLibrary(folder)) await fetchLibrary(python, folder, target, version);
  if (wantsCuda) await fetchCuda(python, folder, target);
}

/** Looks for all that the work takes before it starts, so that what is missing is told at once. */
async function findTools(folder: string, wantsCuda: boolean, nodedir: string | undefined): Promise<Tools> {
  const [download, build] = [!hasLibrary(folder) || wantsCuda, !hasAddons(folder)];
  const python = download ? await findPython(process.env) : '';
  const compiler = build ? await findCompiler(process.env) : '';
  const headers = build ? findHeaders(nodedir, process.env) : '';
  const isMissing = (found: Found): found is SlothfulError => found instanceof SlothfulError;
  if (isMissing(python) || isMissing(compiler) || isMissing(headers)) {
    throw new MissingTools([python, compiler, headers].filter(isMissing));
  }
  return { python, compiler, headers };
}
