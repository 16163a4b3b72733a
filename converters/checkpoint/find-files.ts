import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf, SlothfulError } from '../../src/errors.ts';
import { isPickledHypernetwork, refuseHypernetwork } from './hypernetwork.ts';

/** Where a folder's weights are: one file, or the index of several. */
export interface WeightFiles {
  readonly path: string;
  readonly sharded: boolean;
  /** '' for the plain one, else its name, such as `fp16`. */
  readonly variant: string;
  /** All variants that the folder has. */
  readonly variants: readonly string[];
}

const SINGLE = /^diffusion_pytorch_model(?:\.(\w+))?\.safetensors$/;
/** The variant stands before `safetensors` or, as older releases wrote it, after `index`. */
const INDEX = /^diffusion_pytorch_model(?:\.(\w+))?\.safetensors\.index(?:\.(\w+))?\.json$/;
const PICKLE = /\.(?:bin|ckpt|pt|pth|pkl)$/i;

/** Refuses a file that Python would unpickle. */
export function refusePickle(path: string): never {
  if (isPickledHypernetwork(path)) refuseHypernetwork(path);
  throw new SlothfulError(
    'unsupported',
    path,
    'is a pickle, which can run any code when it is opened',
    'save it as .safetensors (diffusers: save_pretrained; web UIs: the checkpoint merger) and give that',
  );
}

/** Whether a name is that of a pickled checkpoint. */
export function isPickle(name: string): boolean {
  return PICKLE.test(name);
}

/** Names in a folder. @throws SlothfulError `io` */
export async function listFolder(folder: string): Promise<string[]> {
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
export function findWeights(folder: string, names: readonly string[], asked?: string): WeightFiles {
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
