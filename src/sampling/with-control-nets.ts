import * as tf from '@tensorflow/tfjs-core';
import type { ControlNet, Prediction, PredictOptions, Residuals, UNetInputs } from '../runtime/index.ts';
import type { DenoisingModel } from './evaluate.ts';
import type { Values } from './values.ts';

/** A ControlNet at work: its conditioning picture and how much it counts. */
export interface ControlNetUse {
  readonly controlNet: Pick<ControlNet, 'predict'>;
  /** [1, 8h, 8w, 3] in 0..1; one for all images. */
  readonly image: Values;
  /** The conditioning scale, default 1. */
  readonly scale?: number | undefined;
}

/**
 * A UNet that is steered by ControlNets: each evaluates the step first, and the sum of their residuals is fed to the
 * UNet, which must have been loaded with `controlNet: true`. A ControlNet that is patched itself follows the run: its
 * parameters of the step, or none of Slothful Attention where the run has none.
 *
 * Source: diffusers, `StableDiffusionControlNetPipeline` and `MultiControlNetModel`.
 */
export function withControlNets(unet: DenoisingModel, uses: readonly ControlNetUse[]): DenoisingModel {
  return {
    async predict(inputs, options) {
      const residuals = tf.tidy(() => sumResiduals(uses.map((use) => residualsOf(use, inputs, options))));
      try {
        return await evaluated(unet, { ...inputs, ...residuals }, options);
      } finally {
        tf.dispose(Object.values(residuals));
      }
    },
  };
}

async function evaluated(unet: DenoisingModel, inputs: UNetInputs, options: PredictOptions): Promise<Prediction> {
  return unet.predict(inputs, options);
}

function residualsOf(
  { controlNet, image, scale }: ControlNetUse,
  inputs: UNetInputs,
  options: PredictOptions,
): Residuals {
  const batch = inputs.sample.shape[0] ?? 1;
  const one = tf.tensor(image.data, [...image.shape], 'float32');
  const picture = tf.tile(one, [batch, ...image.shape.slice(1).map(() => 1)]);
  return controlNet.predict({ ...inputs, image: picture }, { ...options, scale });
}

function sumResiduals(all: readonly Residuals[]): Residuals {
  const [first = {}, ...others] = all;
  return Object.fromEntries(
    Object.entries(first).map(([name, residual]) => {
      const summands = others.flatMap((residuals) => residuals[name] ?? []);
      return [name, summands.reduce((sum, summand) => tf.add(sum, summand), residual)];
    }),
  );
}
