import { statSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { SlothfulError } from '../src/errors.ts';
import { tensorNames } from './checkpoint/index.ts';
import { textEncoderKind } from './clip/index.ts';
import { type TaesdHalf, taesdKind } from './taesd/index.ts';
import { VAE } from './vae/index.ts';

/** What of a pipeline can be asked for by itself. */
export const PARTS = ['unet', 'text', 'vae'] as const;
export type PartName = (typeof PARTS)[number];

/** What a source has beside a UNet. */
export interface FoundParts {
  readonly text: boolean;
  readonly secondText: boolean;
  readonly vae: boolean;
  /** It is a pipeline folder, whose tokenizers and model_index.json count. */
  readonly isFolder: boolean;
  readonly notes: readonly string[];
}

/** Where diffusers keeps them. */
const FOLDERS = ['text_encoder', 'text_encoder_2', 'vae'] as const;

const NOTHING: FoundParts = { text: false, secondText: false, vae: false, isFolder: false, notes: [] };

/**
 * Looks which networks a source has beside a UNet; what is not there or cannot be read is for the conversion to say.
 *
 * A part of a folder without safetensors is left out with a note: folders of UNets with what belongs to them have always
 * been converted.
 */
export async function findParts(source: string): Promise<FoundParts> {
  const stat = statSync(source, { throwIfNoEntry: false });
  if (!stat) return NOTHING;
  if (!stat.isDirectory()) return partsOfNames(await tensorNames(source));
  const found = await Promise.all(FOLDERS.map((name) => weightsIn(join(source, name))));
  const [text, secondText, vae] = found.map((weights) => weights === 'some');
  const empty = FOLDERS.filter((_, index) => found[index] === 'none');
  return {
    ...{ text: text ?? false, secondText: secondText ?? false, vae: vae ?? false },
    isFolder: true,
    notes: empty.map((name) => `left ${name}/ out, which holds no .safetensors`),
  };
}

async function weightsIn(folder: string): Promise<'some' | 'none' | 'absent'> {
  const names = await readdir(folder).catch(() => undefined);
  if (!names) return 'absent';
  return names.some((name) => name.endsWith('.safetensors')) ? 'some' : 'none';
}

function partsOfNames(names: readonly string[]): FoundParts {
  const has = (kind: { spelling(names: readonly string[]): unknown }) => kind.spelling(names) !== undefined;
  return {
    ...NOTHING,
    text: has(textEncoderKind('text_encoder')),
    secondText: has(textEncoderKind('text_encoder_2')),
    vae: has(VAE),
  };
}

/** Which halves of a TAESD a source has: a folder both, a file what its names say; the decoder where they say nothing. */
export async function taesdHalves(source: string): Promise<readonly TaesdHalf[]> {
  const both = ['decoder', 'encoder'] as const;
  const stat = statSync(source, { throwIfNoEntry: false });
  if (!stat) throw new SlothfulError('io', source, 'does not exist', 'check the path of the TAESD');
  if (stat.isDirectory()) return both;
  const names = await tensorNames(source);
  const found = both.filter((half) => taesdKind(half).spelling(names) !== undefined);
  return found.length ? found : ['decoder'];
}
