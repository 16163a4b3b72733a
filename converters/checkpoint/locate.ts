import { existsSync, statSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { messageOf, SlothfulError } from '../../src/errors.ts';
import { familyTitles } from '../../src/families/index.ts';
import { isPickle, kindOfFile, refusePickle } from './identify.ts';

/** Where a folder's weights are: one file, or the index of several. */
export interface WeightFiles {
  readonly path: string;
  readonly sharded: boolean;
  /** '' for the plain one, else its name, such as `fp16`. */
  readonly variant: string;
  /** All variants that the folder has. */
  readonly variants: readonly string[];
}

/** What is to be opened, and the JSON files that go with it, which may not exist. */
export interface Located {
  readonly weights: WeightFiles;
  readonly configPath: string;
  readonly schedulerPath: string | undefined;
}

/** diffusers' name of a model's file, and transformers'. */
const SINGLE = /^(?:diffusion_pytorch_model|model)(?:\.(\w+))?\.safetensors$/;
/** The variant stands before `safetensors` or, as older releases wrote it, after `index`. */
const INDEX = /^(?:diffusion_pytorch_model|model)(?:\.(\w+))?\.safetensors\.index(?:\.(\w+))?\.json$/;

/** Names in a folder. @throws SlothfulError `io` */
async function listFolder(folder: string): Promise<string[]> {
  try {
    return (await readdir(folder)).sort();
  } catch (error) {
    throw new SlothfulError('io', folder, `cannot be read (${messageOf(error)})`, 'check the path', { cause: error });
  }
}

function candidates(names: readonly string[]): Map<string, { name: string; sharded: boolean }> {
  const found = new Map<string, { name: string; sharded: boolean }>();
  for (const name of names) {
    const index = INDEX.exec(name);
    if (index) found.set(index[1] ?? index[2] ?? '', { name, sharded: true });
  }
  for (const name of names) {
    const single = SINGLE.exec(name);
    if (single) found.set(single[1] ?? '', { name, sharded: false });
  }
  return found;
}

function spell(variants: readonly string[]): string {
  return variants.map((variant) => variant || '(plain)').join(', ');
}

function chooseVariant(folder: string, variants: readonly string[], asked?: string): string {
  const [first = ''] = variants;
  if (asked !== undefined) {
    if (variants.includes(asked)) return asked;
    throw new SlothfulError(
      'bad-input',
      folder,
      `has no variant "${asked}"`,
      variants.length ? `it has ${spell(variants)}` : 'it has no variants',
    );
  }
  if (variants.includes('')) return '';
  if (variants.length === 1) return first;
  throw new SlothfulError('bad-input', folder, `has the variants ${spell(variants)}`, 'choose one with --variant');
}

function refuseEmpty(folder: string, names: readonly string[]): never {
  const pickle = names.find(isPickle);
  if (pickle) refusePickle(join(folder, pickle));
  const several = names.filter((name) => name.endsWith('.safetensors'));
  throw new SlothfulError(
    'bad-checkpoint',
    folder,
    several.length ? `holds ${several.length} .safetensors files, none of them diffusers' name` : 'holds no weights',
    several.length ? `give one of them: ${several.slice(0, 5).join(', ')}` : 'expected *.safetensors or a folder unet/',
  );
}

/**
 * Finds the weights of a UNet folder: diffusers' names, sharded or not, or else the only .safetensors file there.
 *
 * @param asked the variant to take; without it the plain one, or the only one
 * @throws SlothfulError `bad-checkpoint`, `bad-input` (variant) or `unsupported` (pickles)
 */
function findWeights(folder: string, names: readonly string[], asked?: string): WeightFiles {
  const found = candidates(names);
  const variants = [...found.keys()].sort();
  if (found.size === 0) {
    const files = names.filter((name) => name.endsWith('.safetensors'));
    const [only] = files;
    if (only === undefined || files.length > 1) return refuseEmpty(folder, names);
    if (asked !== undefined) chooseVariant(folder, variants, asked);
    return { path: join(folder, only), sharded: false, variant: '', variants: [''] };
  }
  const variant = chooseVariant(folder, variants, asked);
  const chosen = found.get(variant);
  if (!chosen) return refuseEmpty(folder, names);
  return { path: join(folder, chosen.name), sharded: chosen.sharded, variant, variants };
}

/** A scheduler's folder belongs to a UNet's only in a pipeline, where that one is called `unet`. */
function jsonPaths(folder: string): Omit<Located, 'weights'> {
  const inPipeline = basename(resolve(folder)) === 'unet';
  const schedulerPath = inPipeline ? join(folder, '..', 'scheduler', 'scheduler_config.json') : undefined;
  return { configPath: join(folder, 'config.json'), schedulerPath };
}

function locateFile(path: string): Located {
  const sharded = /\.safetensors\.index(?:\.\w+)?\.json$/.test(path);
  // Some tools call them .sft, or what they had before they were converted.
  const kind = sharded || path.endsWith('.safetensors') ? undefined : kindOfFile(path);
  const isWeights = path.endsWith('.safetensors') || kind?.kind === 'safetensors';
  if (isPickle(path) && !isWeights) refusePickle(path);
  if (!sharded && !isWeights) {
    // What lies under a name of its own and is text says nothing by being text.
    const what = kind && kind.kind !== 'other' && kind.kind !== 'json' ? kind : undefined;
    const cure = what?.cure ?? 'give one, or a diffusers UNet folder';
    throw new SlothfulError('unsupported', path, what?.what ?? 'is not a .safetensors file', cure);
  }
  return { weights: { path, sharded, variant: '', variants: [''] }, ...jsonPaths(dirname(path)) };
}

function refuseTransformer(path: string): never {
  throw new SlothfulError(
    'unsupported',
    path,
    'is a pipeline with a transformer and no unet/ (Flux, SD3 and the like)',
    `give a checkpoint of ${familyTitles('or')}`,
  );
}

async function locateFolder(path: string, part: string, variant?: string): Promise<Located> {
  const inside = join(path, part);
  const isPipeline = existsSync(inside) && statSync(inside).isDirectory();
  if (!isPipeline && existsSync(join(path, 'transformer'))) refuseTransformer(path);
  const folder = isPipeline ? inside : path;
  return { weights: findWeights(folder, await listFolder(folder), variant), ...jsonPaths(folder) };
}

/**
 * Finds what a path means: a model's folder, a pipeline folder with that model in it, a .safetensors file, or the index of
 * several.
 *
 * @param part what the model's folder is called in a pipeline
 * @throws SlothfulError `io`, `bad-checkpoint`, `bad-input` (variant) or `unsupported`
 */
export async function locate(path: string, part = 'unet', variant?: string): Promise<Located> {
  if (!existsSync(path)) throw new SlothfulError('io', path, 'does not exist', 'check the path of the checkpoint');
  return statSync(path).isDirectory() ? locateFolder(path, part, variant) : locateFile(path);
}
