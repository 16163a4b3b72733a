import { existsSync, statSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { SlothfulError } from '../../src/errors.ts';
import { findWeights, isPickle, listFolder, refusePickle, type WeightFiles } from './find-files.ts';

/** What is to be opened, and the JSON files that go with it, which may not exist. */
export interface Located {
  readonly weights: WeightFiles;
  readonly configPath: string;
  readonly schedulerPath: string | undefined;
}

/** A scheduler's folder belongs to a UNet's only in a pipeline, where that one is called `unet`. */
function jsonPaths(folder: string): Omit<Located, 'weights'> {
  const inPipeline = basename(resolve(folder)) === 'unet';
  const schedulerPath = inPipeline ? join(folder, '..', 'scheduler', 'scheduler_config.json') : undefined;
  return { configPath: join(folder, 'config.json'), schedulerPath };
}

function locateFile(path: string): Located {
  const sharded = /\.safetensors\.index(?:\.\w+)?\.json$/.test(path);
  if (isPickle(path)) refusePickle(path);
  if (!sharded && !path.endsWith('.safetensors')) {
    throw new SlothfulError('unsupported', path, 'is not a .safetensors file', 'give one, or a diffusers UNet folder');
  }
  return { weights: { path, sharded, variant: '', variants: [''] }, ...jsonPaths(dirname(path)) };
}

function refuseTransformer(path: string): never {
  throw new SlothfulError(
    'unsupported',
    path,
    'is a pipeline with a transformer and no unet/ (Flux, SD3 and the like)',
    'give an SD1.5, SDXL or SSD-1B checkpoint',
  );
}

async function locateFolder(path: string, variant?: string): Promise<Located> {
  const unet = join(path, 'unet');
  const isPipeline = existsSync(unet) && statSync(unet).isDirectory();
  if (!isPipeline && existsSync(join(path, 'transformer'))) refuseTransformer(path);
  const folder = isPipeline ? unet : path;
  return { weights: findWeights(folder, await listFolder(folder), variant), ...jsonPaths(folder) };
}

/**
 * Finds what a path means: a UNet folder, a pipeline folder with `unet/`, a .safetensors file, or the index of several.
 *
 * @throws SlothfulError `io`, `bad-checkpoint`, `bad-input` (variant) or `unsupported`
 */
export async function locate(path: string, variant?: string): Promise<Located> {
  if (!existsSync(path)) throw new SlothfulError('io', path, 'does not exist', 'check the path of the checkpoint');
  return statSync(path).isDirectory() ? locateFolder(path, variant) : locateFile(path);
}
