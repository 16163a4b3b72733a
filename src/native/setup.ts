import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { SlothfulError } from '../../src/errors.ts';
import { buildAddon, cachedAddon, placeAddon } from './addon.ts';
import { type Checked, runCheck } from './check-result.ts';
import { type CudaPlan, cudaFacts, fetchCuda, hasCuda, planCuda } from './cuda.ts';
import { fetchLibrary, hasLibrary, libraryFolder } from './library.ts';
import { installPackage } from './npm-package.ts';
import type { SetupOptions } from './options.ts';
import { type Found, findCompiler, findHeaders, findPython } from './tools.ts';
import { thisMachine, type WheelTarget, wheelTarget } from './wheel-target.ts';

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

/**
 * Puts the native backend to work for the project in `root`. What the cache has is not made again.
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
  const wantsCuda = cuda?.from === 'pip' && !hasCuda(folder);
  const tools = await findTools(folder, wantsCuda, options.nodedir);
  const packageFolder = await installPackage(root);
  await fetchMissing(tools, folder, target, options.tensorflow, wantsCuda);
  if (!existsSync(cachedAddon(folder))) await buildAddon(tools, packageFolder, folder);
  await placeAddon(packageFolder, folder);
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
  const [download, build] = [!hasLibrary(folder) || wantsCuda, !existsSync(cachedAddon(folder))];
  const python = download ? await findPython(process.env) : '';
  const compiler = build ? await findCompiler(process.env) : '';
  const headers = build ? findHeaders(nodedir, process.env) : '';
  const isMissing = (found: Found): found is SlothfulError => found instanceof SlothfulError;
  if (isMissing(python) || isMissing(compiler) || isMissing(headers)) {
    throw new MissingTools([python, compiler, headers].filter(isMissing));
  }
  return { python, compiler, headers };
}
