import { SlothfulError } from '../../src/errors.ts';

/**
 * Checks that an autoencoder is for the latents of a UNet.
 *
 * @param what the autoencoder, for messages
 * @param wanted channels of the UNet's latents; undefined where there is no UNet
 * @throws SlothfulError `bad-checkpoint`
 */
export function checkLatents(what: string, channels: number, wanted: number | undefined, place: string): void {
  if (wanted === undefined || channels === wanted) return;
  const problem = `is a ${what} of latents with ${channels} channels, and the UNet's have ${wanted}`;
  throw new SlothfulError('bad-checkpoint', place, problem, `give the ${what} of the same model`);
}
