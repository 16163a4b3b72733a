import { existsSync, statSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Checkpoint, CheckpointKind } from '../checkpoint/index.ts';
import type { NamedTensors, TensorSource } from '../weights/index.ts';

/** The two networks of a TAESD. */
export type TaesdHalf = 'encoder' | 'decoder';

/** The first convolution and the first block by their original names; the decoder's layer 0 is its clamp. */
const ORIGINAL: Readonly<Record<TaesdHalf, { offset: number; has: string; lacks?: string }>> = {
  encoder: { offset: 0, has: '0.weight' },
  decoder: { offset: 1, has: '1.weight', lacks: '0.weight' },
};

/** How a half of a TAESD is told from what else is in a file. */
export function taesdKind(half: TaesdHalf): CheckpointKind {
  const { has, lacks } = ORIGINAL[half];
  return {
    what: `TAESD ${half}`,
    cure: `give the folder of a TAESD, or its file taesd_${half}.safetensors`,
    folder: 'taesd',
    spelling(names) {
      const all = new Set(names);
      if (all.has(`${half}.layers.0.weight`)) return { layout: 'diffusers', prefix: `${half}.layers.` };
      const prefix = [`taesd_${half}.`, ''].find((start) => {
        return all.has(`${start}${has}`) && !(lacks && all.has(`${start}${lacks}`));
      });
      return prefix === undefined ? undefined : { layout: 'ldm', prefix };
    },
  };
}

/**
 * The file of a half, where a folder has the two as the original repository has them: `taesd_decoder.safetensors`,
 * `taesdxl_decoder.safetensors`. Everything else is what it is.
 */
export async function taesdPath(source: string, half: TaesdHalf): Promise<string> {
  if (!existsSync(source) || !statSync(source).isDirectory()) return source;
  const names = await readdir(source);
  if (names.some((name) => name.startsWith('diffusion_pytorch_model'))) return source;
  const original = names.filter((name) => /^taesd(?:xl)?_/.test(name) && name.endsWith(`_${half}.safetensors`));
  const [only] = original;
  return only !== undefined && original.length === 1 ? join(source, only) : source;
}

/** The tensors of a half by diffusers' names. */
export function taesdTensors(
  { layout, prefix, tensors }: Pick<Checkpoint, 'layout' | 'prefix' | 'tensors'>,
  half: TaesdHalf,
): NamedTensors {
  const offset = layout === 'ldm' ? ORIGINAL[half].offset : 0;
  const found = new Map<string, TensorSource>();
  const unknown: string[] = [];
  for (const [name, source] of tensors) {
    const [, index, rest] = /^(\d{1,3})\.(.+)$/.exec(name) ?? [];
    if (index === undefined) unknown.push(source.name);
    else found.set(`${half}.layers.${Number(index) - offset}.${rest}`, source);
  }
  const nameInFile = (name: string) =>
    name.replace(/^\w+\.layers\.(\d+)/, (_, index: string) => `${prefix}${Number(index) + offset}`);
  return { tensors: found, unknown, nameInFile };
}
