import * as tf from '@tensorflow/tfjs-core';
import { SlothfulError } from '../errors.ts';
import type { Prediction, PredictOptions, SiteRecord, UNetInputs } from '../runtime/index.ts';
import { firstNonFinite } from '../tensors/index.ts';
import type { Values } from './values.ts';

/** What the loop needs of a model; `UNet` is one, and so is anything with the same `predict`. */
export interface DenoisingModel {
  /** One evaluation; `out_sample` has the sample's shape, NHWC, and is the loop's to dispose. */
  predict(inputs: UNetInputs, options: PredictOptions): Prediction | Promise<Prediction>;
  /** As `UNet.steeringOf`; left out: nothing of the batch is perturbed. */
  steeringOf?(options: PredictOptions, timestep: number): number | undefined;
}

/** A model whose evaluations are made another way, such as with more inputs; what else it says of itself stays. */
export function around(model: DenoisingModel, predict: DenoisingModel['predict']): DenoisingModel {
  return { predict, steeringOf: (options, timestep) => model.steeringOf?.(options, timestep) };
}

/** One evaluation of the model, in plain numbers. */
export interface Evaluation {
  readonly timestep: number;
  /** The sample, [B, h, w, C]. */
  readonly sample: Values;
  /** Channels of the answer, default as many as the sample's. */
  readonly channels?: number | undefined;
  /** The other inputs, of the same batch. */
  readonly conditioning: ReadonlyMap<string, Values>;
  readonly options: PredictOptions;
}

export interface Evaluated {
  /** Of the sample's shape, but for the channels. */
  readonly output: Float32Array;
  readonly sites: readonly SiteRecord[];
  /** Whether parts of the model were left out. */
  readonly reused: boolean;
}

/**
 * Evaluates the model once. Tensors live only within the call, so a run that is left at any step leaks none.
 *
 * @param place the step, for messages
 * @throws SlothfulError `bad-model` where the output has another shape or holds NaN or infinity
 */
export async function evaluate(model: DenoisingModel, request: Evaluation, place: string): Promise<Evaluated> {
  const tensors = new Map<string, tf.Tensor>();
  try {
    for (const [name, values] of [...request.conditioning, ['sample', request.sample] as const]) {
      tensors.set(name, tf.tensor(values.data, [...values.shape], 'float32'));
    }
    const { sample, ...others } = Object.fromEntries(tensors);
    if (!sample) throw new SlothfulError('bug', place, 'no sample');
    const {
      out_sample,
      sites,
      reused = false,
    } = await model.predict({ ...others, sample, timestep: request.timestep }, request.options);
    tensors.set('out_sample', out_sample);
    const output = Float32Array.from(await out_sample.data());
    const [batch = 0, height = 0, width = 0, own = 0] = request.sample.shape;
    checkOutput(output, out_sample.shape, [batch, height, width, request.channels ?? own], place);
    return { output, sites, reused };
  } finally {
    for (const tensor of tensors.values()) tensor.dispose();
  }
}

function checkOutput(output: Float32Array, shape: readonly number[], expected: readonly number[], place: string): void {
  if (String(shape) !== String(expected)) {
    const problem = `the model's output is [${shape}], and its sample was [${expected}]`;
    throw new SlothfulError('bad-model', place, problem, "is this the model's prediction? outputName names another");
  }
  const index = firstNonFinite(output);
  if (index < 0) return;
  const problem = `the model answered ${output[index]} at value ${index} of ${output.length}`;
  throw new SlothfulError('bad-model', place, problem, 'its weights are broken, or its inputs far out of range');
}
