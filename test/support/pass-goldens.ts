import { join } from 'node:path';
import { convertCheckpoint } from '../../converters/index.ts';
import { type LoadOptions, loadUNet, type UNet } from '../../src/node.ts';
import { fixturePath } from './fixtures.ts';
import { testedBackend } from './golden-suite.ts';
import { readSafetensors } from './safetensors.ts';
import { temporaryFolder } from './temporary.ts';
import { FAMILIES } from './unet-goldens.ts';

/** What the tests of a pass share: its goldens in `fixtures/passes`, and the golden UNets of all families as models. */
export function passGoldens(pass: string) {
  const folder = temporaryFolder();
  const tensors = readSafetensors(fixturePath(`passes/${pass}/goldens.safetensors`));
  const backend = testedBackend();
  /** Where a model of the test is: under the name of a family its UNet, once it was converted. */
  const at = (name: string) => join(folder, name);
  return {
    at,
    backend,
    async convert(): Promise<void> {
      for (const family of FAMILIES) await convertCheckpoint(fixturePath(`unet/${family}/diffusers`), at(family));
    },
    /** Loads a model for as long as it is used. */
    async withModel<T>(name: string, options: LoadOptions, use: (unet: UNet) => T | Promise<T>): Promise<T> {
      const unet = await loadUNet(at(name), { backend, ...options });
      try {
        return await use(unet);
      } finally {
        unet.dispose();
      }
    },
    tensorOf(name: string) {
      const tensor = tensors.get(name);
      if (!tensor) throw new Error(`fixtures/passes/${pass} has no tensor ${name}`);
      return tensor;
    },
  };
}
