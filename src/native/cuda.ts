import { existsSync } from 'node:fs';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { SlothfulError } from '../errors.ts';
import { atomicDirectory } from '../models/node.ts';
import { phase } from './phase.ts';
import { runProgram } from './run-program.ts';
import { removeWheel, unpackWheel, wheelDownload } from './wheel.ts';
import type { WheelTarget } from './wheel-target.ts';

/** Libraries of CUDA 12 that TensorFlow opens by name; it computes on the GPU only when all are there. */
const SONAMES = [
  'libcudart.so.12',
  'libcublas.so.12',
  'libcublasLt.so.12',
  'libcudnn.so.9',
  'libcufft.so.11',
  'libcusolver.so.11',
  'libcusparse.so.12',
];

/** Where the CUDA libraries are to come from, and why. */
export interface CudaPlan {
  readonly from: 'pip' | 'system' | 'nowhere';
  readonly reason: string;
}

/** Whether there is an NVIDIA driver, and what the dynamic linker knows. */
export interface CudaFacts {
  readonly hasDriver: boolean;
  /** Output of `ldconfig -p`. */
  readonly linkerCache: string;
}

/** Decides for `--cuda auto`; the other choices are taken as they are. */
export function planCuda(asked: 'auto' | 'pip' | 'system', { hasDriver, linkerCache }: CudaFacts): CudaPlan {
  if (asked !== 'auto') return { from: asked, reason: `--cuda ${asked}` };
  if (!hasDriver)
    return { from: 'nowhere', reason: 'no NVIDIA driver here: leaving out the CUDA libraries (--cuda pip)' };
  const missing = SONAMES.filter((name) => !linkerCache.includes(`${name} `));
  if (!missing.length) return { from: 'system', reason: "the system's CUDA libraries are complete" };
  return { from: 'pip', reason: `the system has no ${missing.join(', ')}` };
}

export async function cudaFacts(): Promise<CudaFacts> {
  // Debian keeps ldconfig out of users' PATH.
  const path = `${process.env.PATH ?? ''}:/sbin:/usr/sbin`;
  const linkerCache = (await runProgram('ldconfig', ['-p'], { env: { ...process.env, PATH: path } })).stdout;
  const devices = ['/proc/driver/nvidia/version', '/dev/nvidiactl', '/usr/lib/wsl/lib/libcuda.so.1'];
  return { hasDriver: linkerCache.includes('libcuda.so.1 ') || devices.some((file) => existsSync(file)), linkerCache };
}

/** The requirements of a wheel's `and-cuda` extra, as pip takes them. */
export function cudaRequirements(metadata: string): string[] {
  const lines = metadata.matchAll(/^Requires-Dist:\s*([^;\n]+?)\s*;\s*extra\s*==\s*["']and-cuda["']\s*$/gm);
  return [...lines].map((match) => match[1] ?? '').filter(Boolean);
}

export function hasCuda(folder: string): boolean {
  return existsSync(join(folder, 'nvidia'));
}

/**
 * Downloads the CUDA packages that the unpacked wheel names into its `nvidia/` folder, where the library's own search
 * path looks for them.
 */
export async function fetchCuda(python: string, folder: string, target: WheelTarget): Promise<void> {
  const requirements = cudaRequirements(await readFile(join(folder, 'METADATA'), 'utf8'));
  if (!requirements.length) {
    throw new SlothfulError(
      'backend',
      '--cuda pip',
      'this TensorFlow names no CUDA packages',
      'run with --cuda system',
    );
  }
  const downloads = `${folder}.download`;
  try {
    await atomicDirectory(join(folder, 'nvidia'), {}, async (temporary) => {
      for (const requirement of requirements) {
        const download = wheelDownload(python, requirement, target, downloads);
        await phase(
          `downloading ${requirement} by pip`,
          async () => {
            const wheel = await download.run();
            await unpackWheel(python, wheel, temporary, { 'nvidia/': '' });
            await removeWheel(wheel);
          },
          download.describe,
        );
      }
    });
  } finally {
    await rm(downloads, { recursive: true, force: true });
  }
}
