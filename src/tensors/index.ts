/** Safetensors and half floats in memory, for browsers and Node; files are in `node.ts`. */
export {
  type Bits,
  bitsView,
  type FloatDtype,
  floatBytes,
  isFloatDtype,
  toFloat32Array,
  toFloatBytes,
  toFloats,
  toHalves,
} from './convert.ts';
export { duplicateKey } from './duplicate-key.ts';
export { bfloatOf, floatOf, halfOf, halfToFloat, OVERFLOW } from './half.ts';
export { type Header, parseHeader, type TensorInfo } from './header.ts';
export { channelsFirst, channelsLast, type ImageShape } from './layout.ts';
export { toNumbers } from './numbers.ts';
export {
  checkFinite,
  checkValues,
  decodeSafetensors,
  decodeStored,
  encodeSafetensors,
  type Float32Tensor,
  firstNonFinite,
  floatDtype,
  type StoredTensor,
  type TensorMetadata,
  type TensorSpec,
  type WritableTensor,
} from './safetensors.ts';
export { concatenate, stacked } from './stack.ts';
