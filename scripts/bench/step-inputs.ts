import * as tf from '@tensorflow/tfjs-core';
import type { UNet, UNetInputs } from '../../src/runtime/index.ts';

/** Text tokens of a prompt as CLIP has them. */
const TEXT_TOKENS = 77;

/**
 * Random inputs for a step of any UNet that the toolkit converts, for one image.
 *
 * @param height of the latent
 * @param width of the latent
 */
export function stepInputs(unet: UNet, height: number, width: number): UNetInputs {
  const tensors = unet.inputs
    .filter(({ role }) => role !== 'timestep')
    .map(
      ({ name, shape = [] }) => [name, tf.randomNormal(sizes(name, shape, height, width), 0, 1, 'float32', 1)] as const,
    );
  const { sample, ...rest } = Object.fromEntries(tensors);
  if (!sample) throw new Error('a UNet without a sample');
  return { ...rest, sample };
}

/** The open dimensions: of the latent, of the text; a batch of one. */
function sizes(name: string, shape: readonly number[], height: number, width: number): number[] {
  const open = shape.length === 4 ? [1, height, width] : [1, name === 'encoder_hidden_states' ? TEXT_TOKENS : 1];
  return shape.map((size, axis) => (size > 0 ? size : (open[axis] ?? 1)));
}
