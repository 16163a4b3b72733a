import type { Prediction, PredictOptions, UNetInputs } from '../runtime/index.ts';

/** What the loop needs of a model; `UNet` is one, and so is anything with the same `predict`. */
export interface DenoisingModel {
  /** One evaluation; `out_sample` has the sample's shape, NHWC, and is the loop's to dispose. */
  predict(inputs: UNetInputs, options: PredictOptions): Prediction | Promise<Prediction>;
}
