import { existsSync } from 'node:fs';
import { rm, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { atomicDirectory } from '../models/node.ts';
import { phase } from './phase.ts';
import { removeWheel, unpackWheel, wheelDownload } from './wheel.ts';
import type { WheelTarget } from './wheel-target.ts';

const CC = 'libtensorflow_cc.so.2';
const FRAMEWORK = 'libtensorflow_framework.so.2';

/** What the addon needs of a wheel, and where it goes: the C API's headers, and the library under its own names. */
const MEMBERS: Readonly<Record<string, string>> = {
  'tensorflow/include/tensorflow/c/': 'include/tensorflow/c/',
  'tensorflow/include/tensorflow/core/platform/': 'include/tensorflow/core/platform/',
  'tensorflow/include/tsl/': 'include/tsl/',
  'tensorflow/include/xla/tsl/': 'include/xla/tsl/',
  [`tensorflow/${CC}`]: `lib/${CC}`,
  [`tensorflow/${FRAMEWORK}`]: `lib/${FRAMEWORK}`,
};

/** Folder of one TensorFlow's headers and library: `include/`, `lib/`, and `nvidia/` for the CUDA libraries. */
export function libraryFolder(cache: string, target: WheelTarget, version: string): string {
  return join(cache, `${target.project}-${version}-${target.arch}`);
}

export function hasLibrary(folder: string): boolean {
  return existsSync(join(folder, 'lib', CC)) && existsSync(join(folder, 'lib', FRAMEWORK));
}

/** Downloads the TensorFlow wheel and unpacks what the addon needs, whole or not at all. */
export async function fetchLibrary(
  python: string,
  folder: string,
  target: WheelTarget,
  version: string,
): Promise<void> {
  const requirement = `${target.project}==${version}`;
  const downloads = `${folder}.download`;
  const download = wheelDownload(python, requirement, target, downloads);
  // A folder that lost one of its files is made anew.
  await rm(folder, { recursive: true, force: true });
  try {
    const wheel = await phase(`downloading ${requirement} by pip`, download.run, download.describe);
    await phase('unpacking the library and its headers', () =>
      atomicDirectory(folder, {}, async (temporary) => {
        await unpackWheel(python, wheel, temporary, { ...MEMBERS, ...metadataOf(target, version) });
        // The names that tfjs-node's own build looks for.
        await symlink(CC, join(temporary, 'lib', 'libtensorflow.so'));
        await symlink(FRAMEWORK, join(temporary, 'lib', 'libtensorflow_framework.so'));
      }),
    );
    await removeWheel(wheel);
  } finally {
    await rm(downloads, { recursive: true, force: true });
  }
}

/** The wheel's METADATA says which CUDA packages it goes with. */
function metadataOf(target: WheelTarget, version: string): Record<string, string> {
  return { [`${target.project.replace('-', '_')}-${version}.dist-info/METADATA`]: 'METADATA' };
}
