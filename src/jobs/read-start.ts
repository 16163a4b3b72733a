import { readFile } from 'node:fs/promises';
import { SlothfulError } from '../errors.ts';
import { ioError, localPath } from '../models/node.ts';
import { decodePicture } from '../pictures/node.ts';
import { checkMask, type PipelineNoise, type StartImage } from '../pipeline/index.ts';
import { noiseSource, type Picture, parseSeed, type RunSettings } from '../sampling/index.ts';
import { type OnNote, readAsked } from './asked-tensors.ts';
import { channelsLast } from './channels.ts';

/** The image that a run starts from, by the names of files. */
export interface StartFiles {
  /** Picture to start from in the place of noise alone. */
  readonly initImage?: string | undefined;
  /** Picture, white where it is drawn anew; of the image's size. */
  readonly mask?: string | undefined;
}

/**
 * Reads the image that a run starts from; undefined where there is none.
 *
 * @throws SlothfulError `io`, `bad-input` for what is no picture, or a mask of another size; `usage` for a mask alone
 */
export async function readStart({ initImage, mask }: StartFiles): Promise<StartImage | undefined> {
  if (initImage === undefined) {
    if (mask === undefined) return undefined;
    throw new SlothfulError('usage', '--mask', 'needs the image that it is for', 'give it with --init-image');
  }
  const start: StartImage = {
    ...{ image: await readPicture(initImage), place: initImage },
    ...(mask === undefined ? {} : { mask: await readPicture(mask), maskPlace: mask }),
  };
  checkMask(start);
  return start;
}

/** The picture of a file: PNG, JPEG, WebP and what else `decodePicture` reads. @throws SlothfulError `io`, `bad-input` */
export async function readPicture(source: string | URL): Promise<Picture> {
  const path = localPath(source);
  return decodePicture(await readPictureFile(path), path);
}

/** The bytes of a picture's file, unchecked. @throws SlothfulError `io` */
export function readPictureFile(path: string): Promise<Uint8Array> {
  return readFile(path).catch((error: unknown) => {
    throw ioError(error, path);
  });
}

/** What a file of noise is asked for. */
const NOISE: readonly string[] = ['noise', 'vae_noise', 'masked_vae_noise'];

/** Noise of another program at the size of a run. @throws SlothfulError `bad-input` where it is of another size */
export type NoiseFor = (settings: RunSettings) => PipelineNoise;

/**
 * Reads the noise that runs start from: the tensor `noise` [B, C, h, w] of a safetensors file, before the scheduler scales
 * it; and `vae_noise`, by which the latents of an image are drawn, and
 * `masked_vae_noise`, those of what a mask leaves of it. What samplers add at their steps is of the seed.
 *
 * @throws SlothfulError `io`, `bad-checkpoint`, `bad-input` where the tensor is missing
 */
export async function readNoise(path: string, onNote?: OnNote): Promise<NoiseFor> {
  const { tensors, names } = await readAsked(path, (name) => NOISE.includes(name), onNote);
  const noise = tensors.get('noise');
  if (!noise) {
    const problem = `has no tensor "noise" (it has ${names.slice(0, 8).join(', ') || 'none'})`;
    throw new SlothfulError('bad-input', path, problem, 'name it so');
  }
  const [encoder, masked] = [tensors.get('vae_noise'), tensors.get('masked_vae_noise')];
  return (settings) => {
    const { batch, rows, columns, seed: text, rng } = settings;
    const initial = channelsLast(noise, settings, `${path} tensor "noise"`);
    const shape = [batch, rows, columns, initial.length / (batch * rows * columns)] as const;
    const ofSeed = noiseSource({ shape, seed: parseSeed(text, 'seed'), rng });
    return {
      noise: { initial, step: (index) => ofSeed.step(index) },
      encoderNoise: encoder && channelsLast(encoder, settings, `${path} tensor "vae_noise"`),
      maskedNoise: masked && channelsLast(masked, settings, `${path} tensor "masked_vae_noise"`),
    };
  };
}
