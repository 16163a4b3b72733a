import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { SlothfulError } from '../errors.ts';
import { runProgram } from './run-program.ts';

/** A tool's command or folder, or the error that says how to get it. */
export type Found = string | SlothfulError;

/** Python 3 that has pip. */
export async function findPython(env: NodeJS.ProcessEnv): Promise<Found> {
  let python: string | undefined;
  for (const command of ['python3', 'python']) {
    const { status, stdout } = await runProgram(command, ['--version'], { env });
    if (status !== 0 || !stdout.startsWith('Python 3')) continue;
    python ??= command;
    if ((await runProgram(command, ['-m', 'pip', '--version'], { env })).status === 0) return command;
  }
  if (!python) {
    const cure = 'install it with pip (Debian, Ubuntu: apt-get install python3-pip; Fedora: dnf install python3-pip)';
    return new SlothfulError('backend', 'python3', 'is not installed', cure);
  }
  const cure = `install it (${python} -m ensurepip; Debian, Ubuntu: apt-get install python3-pip)`;
  return new SlothfulError('backend', 'pip', `${python} does not have it`, cure);
}

/** A C++ compiler: what CXX names, or the first of the usual ones. */
export async function findCompiler(env: NodeJS.ProcessEnv): Promise<Found> {
  const asked = env.CXX?.trim();
  for (const command of asked ? [asked] : ['c++', 'g++', 'clang++']) {
    if ((await runProgram(command, ['--version'], { env })).status === 0) return command;
  }
  const cure =
    'install g++ or clang++ (Debian, Ubuntu: apt-get install g++; Fedora: dnf install gcc-c++), or name it in CXX';
  return new SlothfulError(
    'backend',
    asked ? `CXX=${asked}` : 'C++ compiler',
    'does not run or is not installed',
    cure,
  );
}

/** Folder with `node_api.h`: beside the running Node, in the system, or where node-gyp keeps what it downloads. */
export function findHeaders(
  nodedir: string | undefined,
  env: NodeJS.ProcessEnv,
  places: readonly string[] = headerPlaces(env),
): Found {
  const roots = nodedir === undefined ? places : [nodedir];
  const folders = roots.flatMap((root) => [join(root, 'include', 'node'), root]);
  const found = folders.find((folder) => existsSync(join(folder, 'node_api.h')));
  if (found) return found;
  const cure =
    'install them (npx node-gyp install; Debian, Ubuntu: apt-get install libnode-dev) or name their folder with --nodedir';
  return new SlothfulError('backend', "Node's headers", `no node_api.h in ${folders.join(', ')}`, cure);
}

function headerPlaces(env: NodeJS.ProcessEnv): string[] {
  const asked = env.npm_config_nodedir;
  const downloaded = join(env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'node-gyp', process.versions.node);
  return [...(asked ? [asked] : []), dirname(dirname(process.execPath)), downloaded, '/usr', '/usr/local'];
}
