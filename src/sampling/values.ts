export {
  channelsLast,
  checkFinite,
  checkValues,
  concatenate,
  type Float32Tensor as Values,
  type ImageShape,
  stacked,
} from '../tensors/index.ts';
