export {
  checkFinite,
  checkValues,
  concatenate,
  type Float32Tensor as Values,
  stacked,
} from '../tensors/index.ts';
