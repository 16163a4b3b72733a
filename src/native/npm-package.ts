import { existsSync, readFileSync, realpathSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { SlothfulError } from '../errors.ts';
import { phase } from './phase.ts';
import { mustRun, runProgram } from './run-program.ts';

export const TFJS_VERSION = '4.22.0';
const PACKAGE = '@tensorflow/tfjs-node-gpu';
const CORE = '@tensorflow/tfjs-core';

/**
 * Installs tfjs-node-gpu without its install script, which would download a library of 2022, and without a change to
 * package.json or the lock file. Does nothing where it is installed.
 *
 * @param root folder of the package.json that it is installed for
 * @returns the package's folder
 */
export async function installPackage(root: string): Promise<string> {
  if (!existsSync(join(root, 'package.json'))) {
    throw new SlothfulError('backend', root, 'has no package.json', 'run setup-native in the folder of your project');
  }
  if (!folderOf(CORE, root)) {
    throw new SlothfulError(
      'backend',
      root,
      `has no ${CORE}`,
      'run it where slothful-attention is installed, after npm install',
    );
  }
  if (!isInstalled(root)) {
    const specs = [`${PACKAGE}@${TFJS_VERSION}`, ...(await extraneous(root))];
    const args = ['install', '--no-save', '--ignore-scripts', '--no-audit', '--no-fund', ...specs];
    const cure = 'see that npm reaches its registry, then run setup-native again';
    await phase(`installing ${PACKAGE} ${TFJS_VERSION} by npm`, () =>
      mustRun(...npm(args), { place: `npm install ${PACKAGE}`, cure }, { cwd: root }),
    );
  }
  const folder = folderOf(PACKAGE, root);
  if (!folder) throw new SlothfulError('bug', `npm install ${PACKAGE}`, 'it is not there after its installation');
  checkOneCore(root, folder);
  return folder;
}

/** Removes tfjs-node-gpu as modules in `root` find it, so that it is installed anew. */
export async function removePackage(root: string): Promise<void> {
  const folder = folderOf(PACKAGE, root);
  if (folder) await rm(folder, { recursive: true, force: true });
}

function isInstalled(root: string): boolean {
  const folder = folderOf(PACKAGE, root);
  if (!folder || versionOf(folder) !== TFJS_VERSION) return false;
  return ['@tensorflow/tfjs', '@mapbox/node-pre-gyp', 'google-protobuf'].every((name) => folderOf(name, folder));
}

/** Packages that no package.json asks for: npm removes them when it installs another, unless they are named again. */
async function extraneous(root: string): Promise<string[]> {
  const { stdout } = await runProgram(...npm(['ls', '--depth=0', '--json']), { cwd: root });
  return extraneousSpecs(stdout).filter((spec) => !spec.startsWith(`${PACKAGE}@`));
}

/** The extraneous packages in the output of `npm ls --json`, as npm install takes them. */
export function extraneousSpecs(listing: string): string[] {
  let parsed: unknown;
  try {
    parsed = JSON.parse(listing);
  } catch {
    return [];
  }
  const specs: string[] = [];
  for (const [name, entry] of Object.entries(field(parsed, 'dependencies') ?? {})) {
    const resolved = field(entry, 'resolved');
    const version = field(entry, 'version');
    if (field(entry, 'extraneous') !== true) continue;
    if (typeof resolved === 'string' && resolved.startsWith('file:')) specs.push(`${name}@${resolved}`);
    else if (typeof version === 'string') specs.push(`${name}@${version}`);
  }
  return specs;
}

function field(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined;
}

/** npm as this process's parent was started, where npm is that; else the one in PATH. */
function npm(args: readonly string[]): [string, string[]] {
  const script = process.env.npm_execpath;
  return script?.endsWith('npm-cli.js') ? [process.execPath, [script, ...args]] : ['npm', [...args]];
}

/** A backend registers itself with the tfjs-core that it finds; another copy than ours would never see it. */
function checkOneCore(root: string, folder: string): void {
  const union = folderOf('@tensorflow/tfjs', folder);
  const theirs = union && folderOf(CORE, union);
  const ours = folderOf(CORE, root);
  if (theirs && theirs === ours) return;
  const problem = `finds ${theirs ?? 'none'}, the project ${ours ?? 'none'}`;
  throw new SlothfulError(
    'backend',
    `${PACKAGE}'s ${CORE}`,
    problem,
    `install ${CORE}@${TFJS_VERSION}, then npm dedupe`,
  );
}

/** Real folder of a package as modules in `from` find it. */
function folderOf(name: string, from: string): string | undefined {
  const paths = createRequire(join(from, 'package.json')).resolve.paths(name) ?? [];
  const manifest = paths.map((path) => join(path, name, 'package.json')).find((path) => existsSync(path));
  return manifest && realpathSync(dirname(manifest));
}

function versionOf(folder: string): unknown {
  const manifest: unknown = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  return field(manifest, 'version');
}
