import * as tf from '@tensorflow/tfjs-core';
import type { ControlNet, Prediction, PredictOptions, Residuals, UNetInputs } from '../runtime/index.ts';
import { around, type DenoisingModel } from './evaluate.ts';
import { isAskedFor } from './guidance.ts';
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
  return around(unet, async (inputs, options) => {
    const residuals = tf.tidy(() => sumResiduals(uses.map((use) => residualsOf(use, inputs, options))));
    try {
      return await evaluated(unet, { ...inputs, ...residuals }, options);
    } finally {
      tf.dispose(Object.values(residuals));
    }
  });
}

async function evaluated(unet: DenoisingModel, inputs: UNetInputs, options: PredictOptions): Promise<Prediction> {
  return unet.predict(inputs, options);
}

function residualsOf(use: ControlNetUse, inputs: UNetInputs, options: PredictOptions): Residuals {
  const { parts = ['cond'] } = options;
  const steered = parts.filter(isAskedFor).length;
  if (!use.conditionalOnly || steered === parts.length) return evaluatedResiduals(use, inputs, options);
  const residuals = evaluatedResiduals(use, lastParts(inputs, steered / parts.length), options);
  return Object.fromEntries(
    Object.entries(residuals).map(([name, residual]) => {
      const [count = 0, ...rest] = residual.shape;
      const nothing = tf.zeros<tf.Rank.R4>([(count / steered) * (parts.length - steered), ...rest]);
      return [name, tf.concat([nothing, residual], 0)];
    }),
  );
}

/** That share of a batch which is asked for: the last. */
function lastParts(inputs: UNetInputs, share: number): UNetInputs {
  const [batch = 1] = inputs.sample.shape;
  const size = Math.round(batch * share);
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
