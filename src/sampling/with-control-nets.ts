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
  /** With guidance it steers what is asked for alone, and not what is guided away from. */
  readonly conditionalOnly?: boolean | undefined;
}

/**
 * A UNet that is steered by ControlNets: each evaluates the step first, and the sum of their residuals is fed to the
 * UNet, which must have been loaded with `controlNet: true`. A ControlNet that is patched itself follows the run: its
 * parameters of the step, or none of Slothful Attention where the run has none.
 *
 * Source: diffusers, `StableDiffusionControlNetPipeline` (its guess mode for what steers one half) and `MultiControlNetModel`.
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

function residualsOf(use: ControlNetUse, inputs: UNetInputs, options: PredictOptions): Residuals {
  const { parts = 1 } = options;
  if (!use.conditionalOnly || parts === 1) return evaluatedResiduals(use, inputs, options);
  const residuals = evaluatedResiduals(use, lastPart(inputs, parts), options);
  return Object.fromEntries(
    Object.entries(residuals).map(([name, residual]) => {
      const nothing = Array.from({ length: parts - 1 }, () => tf.zerosLike(residual));
      return [name, tf.concat([...nothing, residual], 0)];
    }),
  );
}

/** Of a batch of so many parts what is asked for, which is the last. */
function lastPart(inputs: UNetInputs, parts: number): UNetInputs {
  const batch = inputs.sample.shape[0] ?? parts;
  const size = batch / parts;
  const last = <T extends tf.Tensor>(tensor: T): T =>
    tensor.shape[0] === batch ? tf.slice(tensor, batch - size, size) : tensor;
  const others = Object.entries(inputs).map(([name, value]) => [
    name,
    value instanceof tf.Tensor ? last(value) : value,
  ]);
  return { ...Object.fromEntries(others), sample: last(inputs.sample) };
}

function evaluatedResiduals(
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
